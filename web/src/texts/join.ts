import english from "./en/join.json";
import { namespace } from "./texts";

const texts = namespace(english, () => import("./de/join.json"));
export const t = texts.t;
export const loadJoin = texts.load;
