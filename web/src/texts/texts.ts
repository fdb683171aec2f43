/** Texts in the reader's language: JSON in the form of i18next 4 (`{{value}}`, `key_one` and `key_other`), typed by the English ones. */

type Messages = Record<string, string>;

/** The keys that can be asked for: `seats` where `seats_one` and `seats_other` are written. */
export type KeyOf<M extends Messages> = {
  [K in keyof M & string]: K extends `${infer Base}_one` ? Base : K extends `${string}_other` ? never : K;
}[keyof M & string];

export type Values = Record<string, string | number>;

export const languages = ["en", "de"] as const;
export type Language = (typeof languages)[number];

const storedUnder = "plenary.language";

let read: Language | undefined;

/** The language that was chosen, else the first of the browser's that there is: read once, for a page keeps its language. */
export function readLanguage(): Language {
  read ??= findLanguage();
  return read;
}

function findLanguage(): Language {
  const known = (text: string | null): Language | undefined =>
    languages.find((language) => text?.toLowerCase().split("-")[0] === language);
  try {
    const chosen = known(localStorage.getItem(storedUnder));
    if (chosen) return chosen;
  } catch {
    // Storage may be off: then the browser's languages count.
  }
  for (const wanted of navigator.languages ?? []) {
    const language = known(wanted);
    if (language) return language;
  }
  return "en";
}

/** Takes a person's own language where nothing else was chosen in this browser. True: the page has to be loaded again. */
export function adoptLanguage(wanted: string): boolean {
  const language = languages.find((one) => one === wanted);
  try {
    if (!language || localStorage.getItem(storedUnder) || language === readLanguage()) return false;
    localStorage.setItem(storedUnder, language);
    return true;
  } catch {
    return false;
  }
}

/** Stores the choice; the page is then loaded again, so that every text of it is in the new language. */
export function chooseLanguage(language: Language): void {
  try {
    localStorage.setItem(storedUnder, language);
  } catch {
    return;
  }
  location.reload();
}

/** Fills in a message. Numbers are written as the language does; `count` chooses the plural form. */
export function format(messages: Messages, language: string, key: string, values: Values = {}): string {
  const count = values.count;
  let message = messages[key];
  if (typeof count === "number") {
    // English and German have two forms, and one is for one alone.
    const form = count === 1 ? "one" : "other";
    message = messages[`${key}_${form}`] ?? messages[`${key}_other`] ?? message;
  }
  return (message ?? key).replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) return "";
    return typeof value === "number" ? numeral(value, language) : value;
  });
}

/** A number with a minus sign, where it has a hyphen. */
export const withMinus = (text: string): string => text.replace("-", "−");

const formats = new Map<string, Intl.NumberFormat>();

/** As the language writes it. Formatters take long to make, and small whole numbers are written alike everywhere here. */
function numeral(value: number, language: string): string {
  if (Number.isInteger(value) && Math.abs(value) < 1_000) return withMinus(String(value));
  let found = formats.get(language);
  if (!found) {
    found = new Intl.NumberFormat(language);
    formats.set(language, found);
  }
  return withMinus(found.format(value));
}

/** A set of texts: `load` once before the first `t`. English is there at once, other languages are fetched. */
export function namespace<M extends Messages>(
  english: M,
  load: () => Promise<{ default: Record<keyof M, string> }>,
) {
  let messages: Messages = english;
  let language: Language = "en";
  return {
    async load(wanted: Language): Promise<void> {
      language = wanted;
      messages = wanted === "en" ? english : (await load()).default;
    },
    t: (key: KeyOf<M>, values?: Values): string => format(messages, language, key, values),
  };
}
