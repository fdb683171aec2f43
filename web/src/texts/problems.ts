/** What problems of the service say, in the reader's language: it says everything in English. */
import type { Language } from "./texts";

/** What a problem says, and what is wrong with each thing that was given. */
export interface Said {
  title: string;
  detail: string;
  errors: { pointer?: string; parameter?: string; detail: string }[];
}

export interface Translator {
  /** `isForeign`: its detail stays English, for it is none of the sentences that are known. */
  translate: <P extends Said>(
    problem: P,
    code: string | null | undefined,
    status: number,
  ) => P & { isForeign: boolean };
  /** Null: it is not known. */
  sentence: (text: string) => string | null;
}

let language: Language = "en";
let own: Translator | null = null;
let loading: Promise<unknown> | null = null;

/** From now on problems are in this language, once its texts are there. */
export function speakProblems(wanted: Language): void {
  language = wanted;
  void loadProblems();
}

/** Until the texts are there that are needed. Without them problems stay as the service says them. */
export async function loadProblems(): Promise<void> {
  if (language === "en") return;
  loading ??= Promise.all([import("./translator"), import("./de/problems.json")]).then(
    ([{ translator }, { default: texts }]) => {
      own = translator(texts);
    },
    () => {
      // The service cannot be reached, perhaps: the next problem tries again.
      loading = null;
    },
  );
  await loading;
}

/** In the reader's language, as soon as its texts are there. */
export const inReadersLanguage = <P extends Said>(
  problem: P,
  code: string | null | undefined,
  status: number,
): P & { isForeign: boolean } => own?.translate(problem, code, status) ?? { ...problem, isForeign: false };

/** A sentence of the service that stands alone. */
export const sentenceInReadersLanguage = (text: string): string => own?.sentence(text) ?? text;
