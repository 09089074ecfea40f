/** The command without its launcher: no set-up, so that a test never reinstalls what others are using. */
import { main } from "../../cli/main.ts";

await main(process.argv.slice(2));
