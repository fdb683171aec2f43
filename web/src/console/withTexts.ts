import { readLanguage } from "../texts/texts";

/** The code of a page, with the texts that it needs: both are there before it is drawn. */
export const withTexts =
  <T>(load: () => Promise<T>) =>
  async (): Promise<T> => {
    const texts = import("../texts/pages").then(({ loadPages }) => loadPages(readLanguage()));
    const [page] = await Promise.all([load(), texts]);
    return page;
  };
