import { tc } from "../texts/common";
import { chooseLanguage, type Language, languages, readLanguage } from "../texts/texts";
import css from "./LanguageChoice.module.css";

const names: Record<Language, string> = { en: "English", de: "Deutsch" };

/** For those who are not signed in: the page is loaded again in the language that is chosen. */
export function LanguageChoice() {
  return (
    <label className={css.language}>
      <span className="visually-hidden">{tc("language")}</span>
      <select value={readLanguage()} onChange={(event) => chooseLanguage(event.target.value as Language)}>
        {languages.map((language) => (
          <option key={language} value={language}>
            {names[language]}
          </option>
        ))}
      </select>
    </label>
  );
}
