import css from "./Brand.module.css";

export function Brand() {
  return (
    <span className={css.brand}>
      <svg viewBox="0 0 32 32" aria-hidden="true" className={css.mark}>
        <rect x="5" y="13" width="4" height="6" rx="2" />
        <rect x="11" y="8" width="4" height="16" rx="2" />
        <rect x="17" y="4" width="4" height="24" rx="2" />
        <rect x="23" y="11" width="4" height="10" rx="2" />
      </svg>
      Plenary
    </span>
  );
}
