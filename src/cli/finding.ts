/** What `chrootfile doctor` has found out about one thing. */
export interface Finding {
  readonly name: string;
  /** Whether it is as it must be; true for information that only some recipes need. */
  readonly ok: boolean;
  readonly detail: string;
  readonly help?: string | undefined;
}
