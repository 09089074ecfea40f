/**
 * Properties draw the same values in every run, so that a commit that passed once passes again.
 * `TRAVELOPS_FUZZ_SEED=random` (or a number, as a failure prints it) has them look elsewhere.
 */
import fc from "fast-check";

const wanted = process.env["TRAVELOPS_FUZZ_SEED"] ?? "1";
if (wanted !== "random") fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(wanted) });
