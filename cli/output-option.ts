/** `-o text|json`: anything else is refused, so that no script takes a table for data. */
import { Option } from "commander";

export const outputOption = (json = "json"): Option =>
  new Option("-o, --output <format>", `text or ${json}`).choices(["text", "json"]).default("text");
