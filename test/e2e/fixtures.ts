/** Patterns and charts that tests write to a directory. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";

export async function writeFiles(directory: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [file, text] of Object.entries(files)) {
    const full = path.join(directory, file);
    await mkdir(path.dirname(full), { recursive: true });
    await writeFile(full, text);
  }
}

/** A pattern that declares nothing but a ConfigMap: up ends at once, and the cluster is the test's own. */
export const SMALL_PATTERN = {
  "apps/Chart.yaml": "apiVersion: v2\nname: apps\nversion: 0.1.0\n",
  "apps/templates/marker.yaml":
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: small-pattern\n  namespace: {{ .Release.Namespace }}\ndata:\n  from: git\n",
};
