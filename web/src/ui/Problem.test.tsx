import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import { ApiProblem } from "../api/problem";
import { ProblemBox } from "./Problem";

const shown = (title: string, detail: string) =>
  renderToStaticMarkup(<ProblemBox error={new ApiProblem({ status: 409, title, detail })} />);

test("a problem says the same once, and its detail as a sentence", () => {
  expect(shown("Seats are sold out", "seats are sold out.")).not.toMatch(/sold out.*sold out/s);
  expect(shown("Not booked", "two seats are left")).toContain("Two seats are left");
});
