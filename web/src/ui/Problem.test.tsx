import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import { ApiProblem } from "../api/problem";
import { memberError, ProblemBox } from "./Problem";

const shown = (title: string, detail: string) =>
  renderToStaticMarkup(<ProblemBox error={new ApiProblem({ status: 409, title, detail })} />);

test("a problem says the same once, and its detail as a sentence", () => {
  expect(shown("Seats are sold out", "seats are sold out.")).not.toMatch(/sold out.*sold out/s);
  expect(shown("Not booked", "two seats are left")).toContain("Two seats are left");
});

test("what is wrong with each thing that was given is said once, and a sentence that stays English says so", () => {
  const errors = [{ pointer: "/title", detail: "must be short" }];
  const fields = { status: 400, title: "Ungültig", detail: "title: must be short", errors };
  const html = renderToStaticMarkup(<ProblemBox error={new ApiProblem(fields)} />);
  expect(html.match(/must be short/gi)).toHaveLength(1);
  const foreign = new ApiProblem({ status: 409, title: "Besetzt", detail: "all is taken", isForeign: true });
  expect(renderToStaticMarkup(<ProblemBox error={foreign} />)).toContain(
    '<span lang="en">All is taken</span>',
  );
});

test("what is wrong with a member that has a field stands there", () => {
  const errors = [
    { pointer: "/title", detail: "must be short" },
    { pointer: "/guests/0/mail", detail: "must be a mail address" },
  ];
  const error = new ApiProblem({ status: 400, title: "Not valid", errors });
  const html = renderToStaticMarkup(<ProblemBox error={error} atFields={["/title"]} />);
  expect(html).toContain("must be a mail address");
  expect(html).not.toContain("must be short");
  expect([memberError(error, "/title"), memberError(error, "/seats"), memberError(null, "/title")]).toEqual([
    "Must be short",
    undefined,
    undefined,
  ]);
});
