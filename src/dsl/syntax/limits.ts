/** Limits of a recipe. They exceed any real recipe, so that one that multiplies itself ends with an error message. */
export const limits = {
  /** Bytes of one file: a recipe, a script, values of inputs. Also characters of a recipe with all its libraries and script files. */
  fileBytes: 16 * 2 ** 20,
  /** Included files, each counted as often as it is included, and the depth of includes. */
  modules: 1000,
  includeDepth: 50,
  /** Values in a recipe with all its libraries, with each alias counted as the values it repeats. */
  values: 200_000,
  /** YAML tokens; a value with its key takes about ten. */
  tokens: 2_000_000,
  /** The depth of nested lists, maps and template helpers. */
  depth: 100,
  /** Characters of a key of a map. */
  key: 1000,
  /** How many names may refer to each other in a row. */
  chain: 200,
  /** Tasks that a matrix creates from one. */
  instances: 10_000,
  /** Tasks of a recipe with all its libraries and instances. */
  tasks: 50_000,
  /** Names in all tasks, counted for each instance, and the tasks and resources they mean. */
  names: 1_000_000,
  /** Characters of a value when its templates are rendered. */
  rendered: 64 * 2 ** 20,
  /** Values read to render one value, each counted as often as it is read. */
  reads: 100_000,
  /** Errors in a recipe, and in all instances of one task, after which the search stops. */
  errors: 1000,
  errorsOfInstances: 50,
} as const;

/** A limit as shown in messages, e.g. `200,000`. */
export function limitText(limit: number): string {
  return limit % 2 ** 20 === 0 ? `${limit / 2 ** 20} MiB` : limit.toLocaleString('en-US');
}
