import { expect, test } from "vitest";
import { parseTargets } from "./targets";

test("numbers, addresses and users are told apart", () => {
  const text =
    '+44 (1632) 960-000\nsip:ben@example.org\nann@example.org; "Lee, nobody"\nClara <+49 30 123456>, dora';
  expect(parseTargets(text).targets).toEqual([
    { to: "tel:+441632960000", name: null },
    { to: "sip:ben@example.org", name: null },
    { to: "sip:ann@example.org", name: null },
    { to: "tel:+4930123456", name: "Clara" },
    { to: "user:dora", name: null },
  ]);
});

test("what is none of them is named", () => {
  expect(parseTargets("two words\n+44x")).toEqual({ targets: [], wrong: ["two words", "+44x"] });
});

test("an address keeps its parameters, and a name its comma", () => {
  expect(parseTargets('sip:ann@example.org;transport=tls; "Lee, Ben" <sips:ben@example.org;lr>')).toEqual({
    targets: [
      { to: "sip:ann@example.org;transport=tls", name: null },
      { to: "sips:ben@example.org;lr", name: "Lee, Ben" },
    ],
    wrong: [],
  });
});
