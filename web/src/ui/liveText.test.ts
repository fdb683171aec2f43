import { expect, test } from "vitest";
import { anew } from "./liveText";

test("the same words once more are other words to the browser, and the same to who hears them", () => {
  let text = "";
  const heard = ["3 people came in", "3 people came in", "3 people came in", "Ann left"].map((words) => {
    const before = text;
    text = anew(before, words);
    expect(text).not.toBe(before);
    return text.trim();
  });
  expect(heard).toEqual(["3 people came in", "3 people came in", "3 people came in", "Ann left"]);
});
