/** Names of inputs, variables, outputs and axes: they become environment variables and `name=value` lines. */
export const namePattern = '^[a-z][a-z0-9_]*$';

/** Names of tasks and includes. */
export const taskNamePattern = '^[a-z][a-z0-9_-]*$';

/** A reference to a task: `root`, `ami.build-chroot`, `root.released`, `build[arch=arm64]`. */
export const taskPattern = '^[a-z][a-z0-9_-]*(\\.[a-z][a-z0-9_-]*)*(\\[[^\\[\\]]+\\](\\.released)?)?$';

/** A string on a matrix axis: it becomes part of task names and file names. */
export const axisValuePattern = '^[A-Za-z0-9][A-Za-z0-9 ._+:@/-]*$';

export const axisValueHelp = 'letters, digits, spaces and . _ + : @ / -; "include" takes any value';

/** The name of a lock on the build host. */
export const lockPattern = '^[A-Za-z0-9][A-Za-z0-9._-]*$';

/** A string that contains a template. */
export const templatePattern = '\\{\\{';

/** Reserved names, which no task, include or output may have. */
export const reservedNames: ReadonlySet<string> = new Set('inputs vars env run matrix released this true false null undefined else'.split(' '));
