import type { FromSchema } from 'json-schema-to-ts';

const text = { type: 'string' } as const;
const texts = { type: 'array', items: text } as const;
const task = { type: 'string', description: 'Name of the task; of a release, NAME.released' } as const;
const number = { type: 'number' } as const;
const count = { type: 'integer' } as const;
const flag = { type: 'boolean' } as const;
const values = { type: 'object', description: 'Outputs by name; secrets are masked' } as const;
const version = { const: 1 } as const;
const position = { line: count, column: count } as const;
const place = {
  file: text,
  ...position,
  end: { type: 'object', additionalProperties: false, required: ['line', 'column'], properties: position },
} as const;

const artifacts = {
  type: 'array',
  description: 'Images and snapshots that a successful run created',
  items: {
    type: 'object',
    additionalProperties: false,
    required: ['type', 'region', 'id'],
    properties: { type: { enum: ['image', 'snapshot'] }, region: text, id: text },
  },
} as const;

const left = {
  type: 'array',
  description: 'Changes that are not undone: kept for --resume, or left behind',
  items: {
    type: 'object',
    additionalProperties: false,
    required: ['task', 'kind', 'error', 'by_hand'],
    properties: { task, kind: text, error: text, by_hand: { ...texts, description: 'Commands that undo the change by hand' } },
  },
} as const;

const nodes = {
  type: 'array',
  description: 'Tasks and releases that this run still has to do, in an order that respects every dependency',
  items: {
    type: 'object',
    additionalProperties: false,
    required: ['id', 'type'],
    properties: { id: task, type: { enum: ['task', 'release'] }, description: text },
  },
} as const;

const diagnostics = {
  type: 'array',
  items: {
    type: 'object',
    additionalProperties: false,
    required: ['code', 'message'],
    properties: {
      code: text,
      severity: { const: 'warning', description: 'Absent for errors' },
      message: text,
      ...place,
      help: text,
      notes: {
        type: 'array',
        items: { type: 'object', additionalProperties: false, required: ['message', 'file', 'line', 'column', 'end'], properties: { message: text, ...place } },
      },
      included_at: {
        type: 'array',
        description: 'Where the library with the error is included, innermost first',
        items: { type: 'object', additionalProperties: false, required: ['file', 'line', 'column', 'end'], properties: place },
      },
    },
  },
} as const;

const time = { type: 'string', description: 'ISO 8601 time in UTC' } as const;

const finished = {
  time,
  type: { const: 'run.finished' },
  ok: flag,
  exit: { ...count, description: 'Exit code of the program' },
  run: text,
  seconds: number,
  outputs: values,
  outputs_error: { ...text, description: 'Why outputs of a successful run could not be computed' },
  left,
  kept: { ...flag, description: 'Whether the run is paused: what is left was kept for --resume' },
  artifacts,
  ec2: {
    type: 'object',
    additionalProperties: false,
    required: ['calls', 'waited'],
    properties: {
      calls: { type: 'object', additionalProperties: number, description: 'Number of requests by action' },
      waited: { type: 'object', additionalProperties: number, description: 'Seconds by reason' },
    },
  },
} as const;

/** What `chrootfile run --format json` prints, and `events.jsonl` in the folder of a run holds: one of these on each line. */
export const eventsSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'chrootfile run --format json',
  description: 'One line of the output. The first line of a run has the version. The last is run.finished, or recipe.invalid if the recipe has errors.',
  oneOf: [
    {
      type: 'object',
      description: 'A run starts or is resumed',
      additionalProperties: false,
      required: ['time', 'type', 'version', 'run', 'recipe', 'done', 'nodes'],
      properties: {
        time,
        type: { const: 'run.started' },
        version,
        run: { ...text, description: 'Id of the run' },
        recipe: { ...text, description: 'The recipe as it was named' },
        done: { ...count, description: 'How many tasks and releases succeeded before the run was resumed' },
        nodes,
      },
    },
    {
      type: 'object',
      description: 'The recipe has errors, so no run starts; "run --format json" prints only this line',
      additionalProperties: false,
      required: ['time', 'type', 'version', 'diagnostics'],
      properties: { time, type: { const: 'recipe.invalid' }, version, diagnostics },
    },
    {
      type: 'object',
      description: 'Before a task starts, its preconditions are checked, or whether it is up to date',
      additionalProperties: false,
      required: ['time', 'type', 'task', 'text'],
      properties: { time, type: { const: 'task.checking' }, task, text },
    },
    {
      type: 'object',
      description: 'A task or release starts',
      additionalProperties: false,
      required: ['time', 'type', 'task', 'attempt'],
      properties: {
        time,
        type: { const: 'task.started' },
        task,
        attempt: { ...count, description: 'From 1; greater when the task is retried' },
        reason: { ...text, description: 'Why a task with "sources" or "status" is not up to date' },
      },
    },
    {
      type: 'object',
      description: 'A task prints lines; not in events.jsonl, since the log of the task has them',
      additionalProperties: false,
      required: ['time', 'type', 'task', 'lines'],
      properties: { time, type: { const: 'task.output' }, task, lines: texts },
    },
    {
      type: 'object',
      description: 'What a task is doing or waiting for',
      additionalProperties: false,
      required: ['time', 'type', 'task', 'text'],
      properties: { time, type: { const: 'task.progress' }, task, text, percent: { ...count, description: 'How far it is, when that is known' } },
    },
    {
      type: 'object',
      description: 'An attempt failed and another one follows',
      additionalProperties: false,
      required: ['time', 'type', 'task', 'error', 'inMs'],
      properties: { time, type: { const: 'task.retrying' }, task, error: text, inMs: { ...number, description: 'Milliseconds until the next attempt' } },
    },
    {
      type: 'object',
      description: 'An interactive script has the terminal, or has returned it',
      additionalProperties: false,
      required: ['time', 'type', 'task'],
      properties: { time, type: { enum: ['terminal.lent', 'terminal.returned'] }, task },
    },
    {
      type: 'object',
      description: 'A script left processes or mounts, which were killed and unmounted',
      additionalProperties: false,
      required: ['time', 'type', 'task', 'processes', 'mounts'],
      properties: { time, type: { const: 'task.left_behind' }, task, processes: texts, mounts: texts },
    },
    {
      type: 'object',
      description: 'A task or release ends',
      additionalProperties: false,
      required: ['time', 'type', 'task', 'outcome', 'seconds'],
      properties: {
        time,
        type: { const: 'task.finished' },
        task,
        outcome: {
          enum: ['succeeded', 'failed', 'tolerated', 'skipped', 'up_to_date', 'cached', 'not_run'],
          description:
            'tolerated: it failed, and the recipe ignores that; cached: what it leaves came from a layer of an earlier run; not_run: a task it needs failed, or the run was cancelled',
        },
        seconds: number,
        reason: text,
        cancelled: { ...flag, description: 'Whether it failed only because the run was cancelled' },
        error: text,
        outputs: values,
        layer: { ...text, description: 'Key of the layer that was made after it, or that it comes from' },
        saved: { ...number, description: 'For a cached task: the seconds it took when it ran' },
      },
    },
    {
      type: 'object',
      description: 'The run is rolled back',
      additionalProperties: false,
      required: ['time', 'type', 'reason', 'entries'],
      properties: { time, type: { const: 'undo.started' }, reason: text, entries: { ...count, description: 'How many changes are to be undone' } },
    },
    {
      type: 'object',
      description: 'A change was undone, or could not be',
      additionalProperties: false,
      required: ['time', 'type', 'task', 'kind', 'ok'],
      properties: { time, type: { const: 'undo.entry' }, task, kind: text, ok: flag, error: text },
    },
    {
      type: 'object',
      additionalProperties: false,
      required: ['time', 'type', 'message'],
      properties: { time, type: { const: 'warning' }, message: text },
    },
    {
      type: 'object',
      description: 'A signal arrived, or --timeout expired',
      additionalProperties: false,
      required: ['time', 'type', 'reason', 'again'],
      properties: {
        time,
        type: { const: 'run.interrupted' },
        reason: text,
        again: { ...flag, description: 'Whether it is the second time: tasks are killed' },
      },
    },
    {
      type: 'object',
      description: 'A signal arrived while changes were undone',
      additionalProperties: false,
      required: ['time', 'type', 'reason', 'waiting'],
      properties: { time, type: { const: 'undo.interrupted' }, reason: text, waiting: { ...texts, description: 'What EC2 is waited for' } },
    },
    {
      type: 'object',
      description: 'The run ends',
      additionalProperties: false,
      required: ['time', 'type', 'ok', 'exit', 'run', 'seconds', 'outputs', 'left', 'kept', 'artifacts'],
      properties: finished,
    },
  ],
} as const;

/** The type of {@link eventsSchema}. */
export type EventJson = FromSchema<typeof eventsSchema>;
