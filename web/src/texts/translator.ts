/**
 * Makes problems of the service speak another language. Titles are known by their code, sentences by what stands in the service's source,
 * where values are in braces: `only {available} seats are left for this time`.
 */
import { dateTime } from "./format";
import type { Translator } from "./problems";

export interface ProblemTexts {
  /** By the code of the problem, or by `http-` and the status where it has none. */
  titles: Record<string, string>;
  sentences: Record<string, string>;
}

const VALUE = /\{\{|\}\}|\{[^{}]*\}/g;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z$/;

interface Pattern {
  matches: RegExp;
  /** As they are named in braces; an empty name is one by its place. */
  names: string[];
  text: string;
  /** Of two that match, the one with more words of its own is meant. */
  words: number;
}

function patternOf([sentence, text]: [string, string]): Pattern {
  const names: string[] = [];
  let source = "";
  let words = 0;
  let end = 0;
  const add = (literal: string) => {
    words += literal.length;
    source += literal.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
  };
  for (const found of sentence.matchAll(VALUE)) {
    add(sentence.slice(end, found.index));
    end = found.index + found[0].length;
    // Two braces are one that is written.
    if (found[0] === "{{" || found[0] === "}}") add(found[0].charAt(0));
    else {
      names.push(found[0].slice(1, -1));
      source += "(.*?)";
    }
  }
  add(sentence.slice(end));
  return { matches: new RegExp(`^${source}$`, "s"), names, text, words };
}

/** The values at their places: those with a name by it, the others in their order. */
function filled({ names, text }: Pattern, values: string[]): string {
  const unnamed = values.filter((_, index) => names[index] === "");
  return text.replace(/\{([^{}]*)\}/g, (_, name: string) =>
    name === "" ? (unnamed.shift() ?? "") : (values[names.indexOf(name)] ?? ""),
  );
}

const isSame = (one: string, other: string) =>
  one.toLowerCase().replace(/\.$/, "") === other.toLowerCase().replace(/\.$/, "");

/** Makes problems speak by these texts. */
export function translator({ titles, sentences }: ProblemTexts): Translator {
  const patterns = Object.entries(sentences)
    .filter(([known]) => known.includes("{"))
    .map(patternOf)
    .sort((one, other) => other.words - one.words);
  const sentence = (text: string): string | null => {
    const known = sentences[text];
    if (known !== undefined) return known;
    const fitting = patterns.flatMap((pattern) => {
      const found = pattern.matches.exec(text);
      return found ? [{ pattern, values: found.slice(1) }] : [];
    });
    // `must be a whole number from 1 to 5` fits `must be {} to {}` too, with half a sentence as a value.
    const best = fitting.find(({ values }) => values.every(isWhole)) ?? fitting[0];
    return best ? filled(best.pattern, best.values.map(value)) : null;
  };
  /** A word or a number, some in quotes, or a sentence that is known. */
  const isWhole = (text: string): boolean =>
    !/\s/.test(text.replace(/`[^`]*`[, ]*/g, "")) || sentence(text) !== null;
  /** What stands in a sentence may be one itself, or a state. */
  const value = (text: string): string =>
    TIME.test(text) ? dateTime(text) : (sentence(text) ?? sentences[text.toUpperCase()] ?? text);
  return {
    sentence,
    translate: (problem, code, status) => {
      const { title, detail, errors } = problem;
      const known = detail === "" || isSame(detail, title) ? "" : sentence(detail);
      return {
        ...problem,
        title: titles[code ?? `http-${status}`] ?? title,
        detail: known ?? detail,
        errors: errors.map((one) => ({ ...one, detail: sentence(one.detail) ?? one.detail })),
        isForeign: known === null,
      };
    },
  };
}
