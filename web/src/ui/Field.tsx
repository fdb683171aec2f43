import { type ComponentPropsWithRef, type ReactNode, useId } from "react";
import css from "./Field.module.css";

interface Common {
  label: string;
  hint?: ReactNode;
  error?: string | undefined;
}

function Frame(props: Common & { id: string; children: ReactNode }) {
  return (
    <div className={css.field}>
      <label className={css.label} htmlFor={props.id}>
        {props.label}
      </label>
      {props.children}
      {props.error ? (
        <p className={css.error} id={`${props.id}-note`}>
          {props.error}
        </p>
      ) : (
        props.hint && (
          <p className={css.hint} id={`${props.id}-note`}>
            {props.hint}
          </p>
        )
      )}
    </div>
  );
}

const described = (id: string, props: Common) => ({
  id,
  "aria-invalid": props.error ? true : undefined,
  "aria-describedby": props.error || props.hint ? `${id}-note` : undefined,
});

export function TextField({ label, hint, error, ...rest }: Common & ComponentPropsWithRef<"input">) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <input className={css.input} {...rest} {...described(id, { label, hint, error })} />
    </Frame>
  );
}

export function SelectField({
  label,
  hint,
  error,
  children,
  ...rest
}: Common & ComponentPropsWithRef<"select">) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <select className={css.input} {...rest} {...described(id, { label, hint, error })}>
        {children}
      </select>
    </Frame>
  );
}

export function AreaField({ label, hint, error, ...rest }: Common & ComponentPropsWithRef<"textarea">) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <textarea className={css.input} {...rest} {...described(id, { label, hint, error })} />
    </Frame>
  );
}

export function CheckField({ label, ...rest }: { label: string } & ComponentPropsWithRef<"input">) {
  return (
    <label className={css.check}>
      <input type="checkbox" {...rest} />
      <span>{label}</span>
    </label>
  );
}
