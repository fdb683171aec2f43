import english from "./en/console.json";
import { namespace } from "./texts";

const texts = namespace(english, () => import("./de/console.json"));
export const t = texts.t;
export const loadConsole = texts.load;
