/** What the pages say that are fetched when they are opened, with what the start says. */
import consoleTexts from "./en/console.json";
import english from "./en/pages.json";
import { namespace } from "./texts";

const texts = namespace({ ...consoleTexts, ...english }, async () => {
  const [start, pages] = await Promise.all([import("./de/console.json"), import("./de/pages.json")]);
  return { default: { ...start.default, ...pages.default } };
});
export const { t } = texts;
export const loadPages = texts.load;
