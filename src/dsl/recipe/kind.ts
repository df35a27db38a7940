import type { FromSchema, JSONSchema } from 'json-schema-to-ts';

/** A JSON Schema of type object, written as a literal so that TypeScript types are inferred from it. */
export type ObjectSchema = JSONSchema & {
  readonly type: 'object';
  readonly properties: Readonly<Record<string, JSONSchema>>;
  readonly required?: readonly string[];
};

/** The declarative half of a task kind: everything about a word of the language but what it does. */
export interface KindDeclaration {
  /** As written after `uses`, e.g. `ec2.volume`. */
  readonly name: string;
  /** One line, for lists. */
  readonly summary: string;
  /** When to use it and what it leaves behind, in Markdown. */
  readonly docs: string;
  /** A `resource` is released at the end of what uses it; a `step` is undone only when the run fails. */
  readonly lifetime: 'step' | 'resource';
  /** What its undo does, e.g. `delete the volume`; for `plan`. Absent where nothing is undone. */
  readonly takesBack?: string;
  /** Whether the task names a chroot in `in`, must, or must not. */
  readonly in: 'required' | 'none';
  /** Schema of `with`. Every property has a description with meaning and unit. */
  readonly params: ObjectSchema;
  /** Parameters of which at least one must be set. */
  readonly requiresOneOf?: readonly string[];
  /** Schema of what `{{ task.output }}` gives. */
  readonly outputs: ObjectSchema;
  /** Parameters that name a resource whose other users must have ended well, and be released, before this task. */
  readonly freezes?: readonly string[];
  /** Host programs it runs, by the Debian package that has them. */
  readonly tools: Readonly<Record<string, string>>;
  /** Host programs that certain values of `with` need besides, by the Debian package that has them. */
  toolsFor?(params: Readonly<Record<string, unknown>>): Readonly<Record<string, string>>;
  /**
   * The AWS actions it may call, e.g. `ec2:CreateVolume`: those it always may, and those that a parameter asks for, by its
   * name. What its undo calls is among them.
   */
  readonly permissions?: Readonly<Record<string, readonly string[]>>;
  /** A `with` that is valid; shown in the manual and in editors. */
  readonly example: Readonly<Record<string, unknown>>;
}

/** The TypeScript type of the values a schema describes; properties with a default are always there. */
export type Described<S> = S extends JSONSchema ? FromSchema<S> : never;

/** An error a compiled JSON Schema found, as ajv tells it (with `verbose`). */
export interface SchemaError {
  readonly instancePath: string;
  readonly keyword: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly message?: string;
  readonly parentSchema?: unknown;
  readonly propertyName?: string;
}

/** A compiled JSON Schema: gives the errors of a value and, where it says so, fills in defaults. */
export type Validate = (value: unknown) => readonly SchemaError[];

/** The words a recipe may use: given to the language, which knows none by itself. */
export interface Language {
  readonly kinds: ReadonlyMap<string, KindDeclaration>;
  /** Checks a whole recipe, templates still unrendered. */
  readonly validateRecipe: Validate;
  /** Checks the rendered `with` of one kind and fills in defaults. */
  validateParams(kind: string, value: unknown): readonly SchemaError[];
}
