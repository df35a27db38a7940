import type { KindDeclaration } from '../recipe/kind.js';
import { durationPattern } from '../syntax/duration.js';
import { axisValuePattern, lockPattern, namePattern, taskPattern, templatePattern } from '../syntax/lexical.js';
import { envSchema, type Schema, word } from './parts.js';

/** The schema of a task. */
export function taskSchema(kinds: readonly KindDeclaration[]): Schema {
  return {
    type: 'object',
    additionalProperties: false,
    properties: {
      description: word('What the task does, for people.', 'description: Install the web server', { type: 'string' }),
      uses: word('The kind of a built-in task. `chrootfile kinds` lists them.', 'uses: mount', {
        type: 'string',
        enum: kinds.map((kind) => kind.name),
        markdownEnumDescriptions: kinds.map((kind) => `${kind.summary}\n\n${kind.docs}`),
      }),
      with: word('Parameters of the kind. A value that is null is left out.', 'with: {device: "{{ disk.device }}"}', { type: 'object' }),
      run: scriptSchema('A script, on the host or in the chroot named by `in`; `{file: …}` takes it from a file.', 'run: apt-get install -y nginx'),
      in: word('The chroot task this one runs in: its name, without braces; in a library also `inputs.NAME`.', 'in: ami.chroot', {
        type: 'string',
        pattern: taskPattern,
      }),
      needs: tasksSchema('Tasks that must have ended well before this one; `NAME.released` waits for the release of a resource.', 'needs: [packages]'),
      before: tasksSchema('Tasks that shall wait for this one: the reverse of `needs`, also into a library.', 'before: [ami.image]'),
      if: word('Skips the task unless this renders to `true`.', 'if: "{{ eq inputs.flavor \'full\' }}"', {
        type: ['boolean', 'string'],
        pattern: templatePattern,
        patternErrorMessage: 'true, false, or a template that renders to one of them',
      }),
      env: envSchema('Environment of this task, over that of the recipe.'),
      dir: word('Working directory: relative to the recipe on the host, a path inside the image in a chroot.', 'dir: /srv', { type: 'string' }),
      shell: shellSchema(),
      timeout: timeoutSchema(),
      retries: retriesSchema(),
      strategy: strategySchema(),
      preconditions: word(
        'Commands that must succeed before the task, where it runs; else it fails with the message.',
        'preconditions: [{sh: test -e /etc/os-release, message: There is no system on it}]',
        {
          type: 'array',
          items: {
            type: 'object',
            required: ['sh'],
            additionalProperties: false,
            properties: {
              sh: word('The command.', 'sh: test -e /etc/os-release', { type: 'string', minLength: 1 }),
              message: word('What is said when it fails.', 'message: There is no system on it', { type: 'string' }),
            },
          },
        },
      ),
      sources: patternsSchema(
        'Files of the host the script reads. While they and the script are as they were when it last ended well, it is up to date.',
        'sources: ["src/**/*.c"]',
      ),
      generates: patternsSchema('Files the script makes, where it runs. When they are gone or others, it is not up to date.', 'generates: [build/app]'),
      status: word('Commands, where the script runs, that all succeed when its work is done already.', 'status: [test -x /usr/sbin/nginx]', {
        type: 'array',
        minItems: 1,
        items: { type: 'string', minLength: 1 },
      }),
      locks: word('Locks of the host, by name: no two tasks of any run that name the same one run at once.', 'locks: [package-cache]', {
        type: 'array',
        minItems: 1,
        items: { type: 'string', pattern: lockPattern, patternErrorMessage: 'letters, digits, . _ and -' },
      }),
      continue_on_error: word('A failure of this task does not fail the run; its outputs are null then.', 'continue_on_error: true', { type: 'boolean' }),
      outputs: word(
        'Values the script gives on, by lines `name=value` in the file `$CHROOTFILE_OUTPUT`.',
        'outputs: {version: {description: The version installed}}',
        {
          type: 'object',
          propertyNames: { pattern: namePattern },
          additionalProperties: {
            type: ['object', 'null'],
            additionalProperties: false,
            properties: {
              type: word('The type of the value; a string unless said.', 'type: integer', { enum: ['string', 'integer', 'number', 'boolean', 'list', 'map'] }),
              description: word('What the value means.', 'description: The version installed', { type: 'string' }),
              secret: word('Kept out of logs, reports, names and files.', 'secret: true', { type: 'boolean' }),
            },
          },
        },
      ),
      undo: word(
        'How to take back what the script did, in the same place: when the run fails, or always, as soon as nothing needs it.',
        'undo: {run: vgchange -an build, when: always}',
        {
          type: 'object',
          required: ['run'],
          additionalProperties: false,
          properties: {
            run: scriptSchema('The script that undoes it. It must work twice.', 'run: vgchange -an build'),
            when: word('`failure`, the default; `always` makes the task a resource.', 'when: always', { enum: ['failure', 'always'], default: 'failure' }),
          },
        },
      ),
      interactive: word(
        'The script may ask: it gets the terminal, which shows nothing else meanwhile. Without a terminal the task fails.',
        'interactive: true',
        { type: 'boolean' },
      ),
      internal: word('Hidden from lists and from recipes that include this one.', 'internal: true', { type: 'boolean' }),
      template: word('`false` leaves `{{ }}` in `run` alone.', 'template: false', { type: 'boolean' }),
    },
    dependentRequired: {
      with: ['uses'],
      generates: ['sources'],
      ...Object.fromEntries(['shell', 'dir', 'env', 'outputs', 'undo', 'template', 'interactive', 'sources', 'status'].map((key) => [key, ['run']])),
    },
    allOf: [
      { if: { required: ['uses'] }, then: { properties: { run: false } } },
      ...kinds.map((kind) => ({
        if: { required: ['uses'], properties: { uses: { const: kind.name } } },
        then: {
          properties: { with: { $ref: `#/$defs/${kind.name}` }, ...(kind.in === 'none' ? { in: false } : {}) },
          required: [...(kind.params.required?.length || kind.requiresOneOf ? ['with'] : []), ...(kind.in === 'required' ? ['in'] : [])],
        },
      })),
    ],
    defaultSnippets: kinds.map((kind) => ({
      label: kind.name,
      description: kind.summary,
      body: { uses: kind.name, with: kind.example },
    })),
  };
}

/** The schema of an interpreter. */
export function shellSchema(): Schema {
  return word('The interpreter of `run`: a program and its arguments; the script comes as one more argument.', 'shell: [/bin/bash, -euo, pipefail]', {
    type: 'array',
    minItems: 1,
    items: { type: 'string' },
  });
}

/** The schema of a time limit. */
export function timeoutSchema(): Schema {
  return word('The longest the task may take; it fails then.', 'timeout: 20m', durationSchema());
}

/** The schema of attempts. */
export function retriesSchema(): Schema {
  return word('How often a failed task is tried again, and after how long.', 'retries: {limit: 2, delay: 10s, backoff: 2}', {
    type: ['integer', 'object'],
    minimum: 0,
    required: ['limit'],
    additionalProperties: false,
    properties: {
      limit: word('How many more attempts.', 'limit: 2', { type: 'integer', minimum: 0 }),
      delay: word('How long to wait before.', 'delay: 10s', durationSchema()),
      backoff: word('By what the delay is multiplied each time.', 'backoff: 2', { type: 'number', minimum: 1 }),
    },
  });
}

function strategySchema(): Schema {
  const combinations = (text: string, example: string) => word(text, example, { type: 'array', items: { type: 'object', minProperties: 1 } });
  return word('Makes several tasks of one: one for each combination of the values of a matrix.', 'strategy: {matrix: {arch: [amd64, arm64]}}', {
    type: 'object',
    required: ['matrix'],
    additionalProperties: false,
    properties: {
      matrix: word(
        'Axes, each a list of values (or a template that gives one); a task names its own by `{{ matrix.AXIS }}`.',
        'matrix: {arch: [amd64, arm64]}',
        {
          type: 'object',
          minProperties: 1,
          propertyNames: { pattern: namePattern },
          properties: {
            include: combinations('Values added to the combinations they fit, or combinations of their own.', 'include: [{arch: arm64, grub: grub-efi-arm64}]'),
            exclude: combinations('Combinations left out.', 'exclude: [{arch: arm64, release: bookworm}]'),
          },
          additionalProperties: {
            type: ['array', 'string'],
            pattern: templatePattern,
            minItems: 1,
            items: {
              type: ['string', 'number', 'boolean'],
              if: { type: 'string', not: { pattern: templatePattern } },
              then: { pattern: axisValuePattern, patternErrorMessage: 'letters, digits, spaces and . _ + : @ / -' },
            },
          },
        },
      ),
      max_parallel: word('How many of them run at once.', 'max_parallel: 2', { type: 'integer', minimum: 1 }),
    },
  });
}

function patternsSchema(text: string, example: string): Schema {
  return word(text, example, { type: 'array', minItems: 1, items: { type: 'string', minLength: 1 } });
}

function scriptSchema(text: string, example: string): Schema {
  return word(text, example, {
    type: ['string', 'object'],
    required: ['file'],
    additionalProperties: false,
    properties: {
      file: word('Path of the script, relative to this file. It is no template; its `#!` line names the interpreter.', 'file: scripts/packages.sh', {
        type: 'string',
        minLength: 1,
      }),
    },
  });
}

/** The schema of a list of tasks. */
export function tasksSchema(text: string, example: string): Schema {
  return word(text, example, { type: 'array', items: { type: 'string', pattern: taskPattern } });
}

function durationSchema(): Schema {
  return { type: 'string', pattern: durationPattern, patternErrorMessage: 'a duration such as 90s, 20m or 1h30m' };
}
