/** What a validation found. The count of what held tells which of several alternatives came closest. */
import type { FieldError } from "../api/field-error.ts";

export interface Fault {
  readonly error: FieldError;
  /** The whole sentence; the same sentence is said once. */
  readonly text: string;
}

export class ValidationResult {
  readonly faults: Fault[] = [];
  matches = 0;

  add(text: string, error: FieldError): void {
    if (!this.faults.some((known) => known.text === text)) this.faults.push({ text, error });
  }

  merge(other: ValidationResult): void {
    for (const { text, error } of other.faults) this.add(text, error);
    this.matches += other.matches;
  }

  get valid(): boolean {
    return this.faults.length === 0;
  }
}
