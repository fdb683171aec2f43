import { type ChangeEvent, useState } from "react";

type Values = Record<string, string | boolean>;
type NamesOf<T, V> = { [K in keyof T]: T[K] extends V ? K : never }[keyof T] & string;
type Entered = ChangeEvent<HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement>;

/** What is entered in a form, and what its fields need to show and to change it. */
export function useForm<T extends Values>(initial: T | (() => T)) {
  const [form, setForm] = useState(initial);
  const set = (change: Partial<T>) => setForm((before) => ({ ...before, ...change }));
  return {
    form,
    set,
    text: (name: NamesOf<T, string>) => ({
      value: form[name] as string,
      onChange: (event: Entered) => set({ [name]: event.target.value } as Partial<T>),
    }),
    check: (name: NamesOf<T, boolean>) => ({
      checked: form[name] as boolean,
      onChange: (event: ChangeEvent<HTMLInputElement>) => set({ [name]: event.target.checked } as Partial<T>),
    }),
  };
}
