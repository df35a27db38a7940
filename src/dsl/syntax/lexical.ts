/** What tasks, inputs, variables, includes and outputs may be called. */
export const namePattern = '^[a-z][a-z0-9_]*$';

/** A task as it is referred to: `root`, `ami.chroot`, `root.released`, `build[arch=arm64]`. */
export const taskPattern = '^[a-z][a-z0-9_]*(\\.[a-z][a-z0-9_]*)*(\\[[^\\[\\]]+\\](\\.released)?)?$';

/** A string on an axis of a matrix: it becomes part of names of tasks and of files. */
export const axisValuePattern = '^[A-Za-z0-9][A-Za-z0-9 ._+:@/-]*$';

export const axisValueHelp = 'letters, digits, spaces and . _ + : @ / -; "include" takes any value';

/** The name of a lock of the host. */
export const lockPattern = '^[A-Za-z0-9][A-Za-z0-9._-]*$';

/** A string that holds a template. */
export const templatePattern = '\\{\\{';

/** Names with a meaning of their own, which nothing in a recipe may take. */
export const reservedNames: ReadonlySet<string> = new Set('inputs vars env run matrix released this true false null undefined else'.split(' '));
