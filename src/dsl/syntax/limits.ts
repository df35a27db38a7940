/** What a recipe may be at most: more than anybody writes, so that one that multiplies itself ends in a message. */
export const limits = {
  /** Bytes of one file: a recipe, a script, values of inputs. Also characters of a recipe with all its libraries and script files. */
  fileBytes: 16 * 2 ** 20,
  /** Files that are included, each counted as often as that happens, and how deep they include each other. */
  modules: 1000,
  includeDepth: 50,
  /** Values in a recipe with all its libraries, aliases counted as what they repeat. */
  values: 200_000,
  /** Words, signs and white space that YAML is read as; a value takes about ten with its key. */
  tokens: 2_000_000,
  /** How deep lists, maps and helpers of a template stand in each other. */
  depth: 100,
  /** Characters of a key of a map. */
  key: 1000,
  /** How many names may refer to each other in a row. */
  chain: 200,
  /** Tasks that a matrix makes of one. */
  instances: 10_000,
  /** Tasks of a recipe with all its libraries and instances. */
  tasks: 50_000,
  /** Names in all tasks, each as often as it is read for an instance, and the tasks and resources that they mean. */
  names: 1_000_000,
  /** Characters of a value when its templates are rendered. */
  rendered: 64 * 2 ** 20,
  /** Values that are read, each as often as it is, to render one. */
  reads: 100_000,
  /** Errors, and those of all instances of one task, after which no more are looked for. */
  errors: 1000,
  errorsOfInstances: 50,
} as const;

/** A limit as it is told, e.g. `200,000`. */
export function limitText(limit: number): string {
  return limit % 2 ** 20 === 0 ? `${limit / 2 ** 20} MiB` : limit.toLocaleString('en-US');
}
