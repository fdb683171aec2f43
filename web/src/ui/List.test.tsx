import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, test } from "vitest";
import { ApiProblem } from "../api/problem";
import { Loaded, type QueryState } from "./List";

const shown = (query: Partial<QueryState<string>>) =>
  renderToStaticMarkup(
    <Loaded query={{ data: undefined, error: null, refetch: () => undefined, ...query }}>
      {(data) => <p>{data}</p>}
    </Loaded>,
  );
const problem = (status: number) =>
  new ApiProblem({ status, title: "It failed", detail: "", code: "", errors: [], requestId: "" });

describe("what a query shows", () => {
  test("is that it waits, then what was found", () => {
    expect(shown({})).toContain('role="status"');
    expect(shown({ data: "found" })).toBe("<p>found</p>");
  });

  test("is the problem alone where nothing was found before", () => {
    const html = shown({ error: problem(503) });
    expect(html).toContain('role="alert"');
    expect(html).not.toContain("<p>");
  });

  test("is the problem above what was found before, so that nothing that was entered there is lost", () => {
    const html = shown({ data: "found", error: problem(503) });
    expect(html).toMatch(/role="alert".*<p>found<\/p>$/s);
    expect(shown({ data: "found", error: new TypeError("no network") })).toContain("<p>found</p>");
  });

  test.each([401, 403, 404])("is not what is gone or may not be read any more (%i)", (status) => {
    expect(shown({ data: "found", error: problem(status) })).not.toContain("<p>");
  });
});
