import { QueryClient } from "@tanstack/react-query";
import { renderToStaticMarkup } from "react-dom/server";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ApiProblem } from "../../api/problem";
import { type Seats, SeatsLeft, seatsMayBeGone } from "./SeatsLeft";

const full: Seats = {
  left: 3,
  isAsked: true,
  isFull: true,
  near: [Date.parse("2030-06-20T08:00:00Z")],
  error: null,
  retry: () => undefined,
};
const shown = (seats: Partial<Seats>, onPick?: () => void) =>
  renderToStaticMarkup(<SeatsLeft seats={{ ...full, ...seats }} zone="UTC" onPick={onPick} />);

beforeAll(() => vi.stubGlobal("navigator", { languages: ["en"] }));
afterAll(() => vi.unstubAllGlobals());

describe("too few seats", () => {
  test("come with near times, or say that there are none", () => {
    expect(shown({}, () => undefined)).toMatch(/Enough seats at:.*<button/s);
    const html = shown({ near: [] }, () => undefined);
    expect(html).toContain("Nor are enough left");
    expect(html).not.toContain("<button");
  });

  test("come without where the start cannot be changed, and enough seats too", () => {
    expect(shown({})).not.toMatch(/Enough|Nor/);
    expect(shown({ isFull: false, near: [] }, () => undefined)).not.toMatch(/Enough|Nor/);
  });
});

test("where somebody was faster, what is left is read again", async () => {
  const queries = new QueryClient();
  const key = ["availability", 1, 60];
  const isRead = () => queries.getQueryState(key)?.isInvalidated;
  queries.setQueryData(key, []);
  await seatsMayBeGone(
    queries,
    new ApiProblem({ status: 409, title: "A reservation like it", code: "1205" }),
  );
  expect(isRead()).toBe(false);
  await seatsMayBeGone(queries, new ApiProblem({ status: 409, title: "Too few seats", code: "1206" }));
  expect(isRead()).toBe(true);
});
