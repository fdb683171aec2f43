import english from "./en/common.json";
import { namespace } from "./texts";

const texts = namespace(english, () => import("./de/common.json"));
export const tc = texts.t;
export const loadCommon = texts.load;
