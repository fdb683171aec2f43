import type { ComponentPropsWithRef, ReactNode } from "react";
import css from "./Button.module.css";

export interface ButtonProps extends ComponentPropsWithRef<"button"> {
  look?: "primary" | "plain" | "quiet" | "danger";
  size?: "small" | "normal" | "large";
  icon?: ReactNode;
  /** The text is read out only. */
  iconOnly?: boolean;
  /** What it does is under way: it shows so, does nothing, and keeps the focus. */
  isBusy?: boolean;
}

/** Leads to another page, and looks like a button. */
export function LinkButton({
  look = "plain",
  size = "normal",
  ...rest
}: ComponentPropsWithRef<"a"> & Pick<ButtonProps, "look" | "size">) {
  return <a {...rest} className={[css.button, css[look], css[size]].filter(Boolean).join(" ")} />;
}

export function Button({
  look = "plain",
  size = "normal",
  icon,
  iconOnly,
  isBusy,
  className,
  children,
  ...rest
}: ButtonProps) {
  const classes = [css.button, css[look], css[size], iconOnly && css.iconOnly, className]
    .filter(Boolean)
    .join(" ");
  return (
    <button
      type="button"
      {...rest}
      aria-busy={isBusy || undefined}
      aria-disabled={isBusy || undefined}
      // Also where it would send a form, by Enter in a field too.
      onClick={isBusy ? (event) => event.preventDefault() : rest.onClick}
      className={classes}
      title={iconOnly && typeof children === "string" ? children : rest.title}
    >
      {icon && (
        <span className={css.icon} aria-hidden="true">
          {icon}
        </span>
      )}
      {iconOnly ? <span className="visually-hidden">{children}</span> : children}
    </button>
  );
}
