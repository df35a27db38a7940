/** The explanation of an error, with a recipe that has it and the fixed recipe. */
export interface CatalogueEntry {
  readonly means: string;
  /** Whether it is a warning: the recipe runs anyway. */
  readonly warning?: true;
  /** A recipe with the error; `version: 1` is part of it unless it has another. */
  readonly wrong: string;
  /** The same recipe without the error. */
  readonly right: string;
  /** For errors of the command line: the words after `chrootfile plan r.yml`, wrong and right. */
  readonly typed?: readonly [wrong: string, right: string];
  /** Other files that both recipes need. */
  readonly files?: Readonly<Record<string, string>>;
}
