import type { FromSchema, JSONSchema } from 'json-schema-to-ts';

/** A JSON Schema of type object, written as a literal so that TypeScript types are inferred from it. */
export type ObjectSchema = JSONSchema & {
  readonly type: 'object';
  readonly properties: Readonly<Record<string, JSONSchema>>;
  readonly required?: readonly string[];
};

/** The declarative half of a kind: everything except what it does. */
export interface KindDeclaration {
  /** As written after `uses`, e.g. `ec2.volume`. */
  readonly name: string;
  /** One line, for lists. */
  readonly summary: string;
  /** When to use it and what it leaves behind, in Markdown. */
  readonly docs: string;
  /** A `resource` is released when nothing uses it any more; a `step` is undone only when the run fails. */
  readonly lifetime: 'step' | 'resource';
  /** What its undo does, e.g. `delete the volume`; for `plan`. Absent if nothing is undone. */
  readonly undoes?: string;
  /** Whether the task must or must not have `in`. */
  readonly in: 'required' | 'none';
  /** Schema of `with`. Every property has a description with meaning and unit. */
  readonly params: ObjectSchema;
  /** Parameters of which at least one must be set. */
  readonly requiresOneOf?: readonly string[];
  /** Schema of the outputs, as in `{{ task.output }}`. */
  readonly outputs: ObjectSchema;
  /** Parameters that name a resource: this task waits until its other users have succeeded and are released. */
  readonly freezes?: readonly string[];
  /** Whether it makes a disk, which its undo deletes with everything on it. */
  readonly deletesDisk?: true;
  /**
   * For a kind that leaves content on a volume: the version of what it leaves. A new version makes the layers of the old
   * one useless.
   */
  readonly content?: number;
  /** The parameters that decide its content; all of them if absent. */
  readonly contentOf?: readonly string[];
  /** Whether it looks for something on a disk. A run that starts from a layer takes what it found when the layer was made. */
  readonly looks?: true;
  /** Parameters that are paths on the host whose files it copies to a volume. */
  readonly copies?: readonly string[];
  /** Host programs it runs, by the Debian package that has them. */
  readonly tools: Readonly<Record<string, string>>;
  /** Host programs that certain values of `with` also need, by the Debian package that has them. */
  toolsFor?(params: Readonly<Record<string, unknown>>): Readonly<Record<string, string>>;
  /**
   * The AWS actions it may call, e.g. `ec2:CreateVolume`: those it always may call, and those for a parameter, by its
   * name. They include the calls of its undo.
   */
  readonly permissions?: Readonly<Record<string, readonly string[]>>;
  /** Those it always may call with direct volumes, if they are others. */
  readonly directPermissions?: readonly string[];
  /** A `with` that is valid; shown in the manual and in editors. */
  readonly example: Readonly<Record<string, unknown>>;
}

/** The TypeScript type of the values a schema describes; properties with a default are always set. */
export type Described<S> = S extends JSONSchema ? FromSchema<S> : never;

/** An error that a compiled JSON Schema found, as ajv reports it (with `verbose`). */
export interface SchemaError {
  readonly instancePath: string;
  readonly keyword: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly message?: string;
  readonly parentSchema?: unknown;
  readonly propertyName?: string;
}

/** A compiled JSON Schema: returns the errors of a value and, for some schemas, fills in defaults. */
export type Validate = (value: unknown) => readonly SchemaError[];

/** The kinds that a recipe may use. The language itself knows none: the caller passes them in. */
export interface Language {
  readonly kinds: ReadonlyMap<string, KindDeclaration>;
  /** Checks a whole recipe, before templates are rendered. */
  readonly validateRecipe: Validate;
  /** Checks the rendered `with` of one kind and fills in defaults. */
  validateParams(kind: string, value: unknown): readonly SchemaError[];
}
