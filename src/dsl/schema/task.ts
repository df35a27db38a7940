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
      description: word('What the task does. Lists and plans show it.', 'description: Install the web server', { type: 'string' }),
      uses: word('The kind of task. `chrootfile kinds` lists the kinds.', 'uses: mount', {
        type: 'string',
        enum: kinds.map((kind) => kind.name),
        markdownEnumDescriptions: kinds.map((kind) => `${kind.summary}\n\n${kind.docs}`),
      }),
      with: word('Parameters of the kind. A null value means that the parameter is not set.', 'with: {device: "{{ disk.device }}"}', { type: 'object' }),
      run: scriptSchema(
        'A script. It runs on the build host, or in the chroot that `in` names. `{file: …}` reads it from a file.',
        'run: apt-get install -y nginx',
      ),
      in: word('Name of the chroot task in which this task runs, without braces. In a library it may be `inputs.NAME`.', 'in: ami.chroot', {
        type: 'string',
        pattern: taskPattern,
      }),
      needs: tasksSchema('Tasks that must have succeeded before this one starts. `NAME.released` waits for the release of a resource.', 'needs: [packages]'),
      before: tasksSchema('Tasks that wait for this one: the reverse of `needs`. They may be tasks of a library.', 'before: [ami.image]'),
      if: word('Condition: the task is skipped unless this is `true`.', 'if: "{{ eq inputs.flavor \'full\' }}"', {
        type: ['boolean', 'string'],
        pattern: templatePattern,
        patternErrorMessage: 'true, false, or a template that gives one of them',
      }),
      env: envSchema('Environment variables of this task. They override those of the recipe.'),
      dir: word('Working directory. On the build host it is relative to the recipe; in a chroot it is a path inside the image.', 'dir: /srv', {
        type: 'string',
      }),
      shell: shellSchema(),
      timeout: timeoutSchema(),
      retries: retriesSchema(),
      strategy: strategySchema(),
      preconditions: word(
        'Commands that must succeed before the task starts. They run where the task runs; if one fails, the task fails with its message.',
        'preconditions: [{sh: test -e /etc/os-release, message: There is no system on it}]',
        {
          type: 'array',
          items: {
            type: 'object',
            required: ['sh'],
            additionalProperties: false,
            properties: {
              sh: word('The command.', 'sh: test -e /etc/os-release', { type: 'string', minLength: 1 }),
              message: word('Error message if the command fails.', 'message: There is no system on it', { type: 'string' }),
            },
          },
        },
      ),
      sources: patternsSchema(
        'Files on the build host that the script reads. The task is up to date as long as they and the script are unchanged since it last succeeded.',
        'sources: ["src/**/*.c"]',
      ),
      generates: patternsSchema(
        'Files that the script creates, where it runs. If they are missing or changed, the task is not up to date.',
        'generates: [build/app]',
      ),
      status: word(
        'Commands that check whether the work is already done. They run where the script runs; the task is up to date if all succeed.',
        'status: [test -x /usr/sbin/nginx]',
        {
          type: 'array',
          minItems: 1,
          items: { type: 'string', minLength: 1 },
        },
      ),
      locks: word('Names of locks on the build host. Tasks with the same lock never run at the same time, in any run.', 'locks: [package-cache]', {
        type: 'array',
        minItems: 1,
        items: { type: 'string', pattern: lockPattern, patternErrorMessage: 'letters, digits, . _ and -' },
      }),
      continue_on_error: word('If true, a failure of this task does not fail the run, and its outputs are null.', 'continue_on_error: true', {
        type: 'boolean',
      }),
      outputs: word(
        'Values that the script passes to later tasks by writing `name=value` lines to `$CHROOTFILE_OUTPUT`.',
        'outputs: {version: {description: The version installed}}',
        {
          type: 'object',
          propertyNames: { pattern: namePattern },
          additionalProperties: {
            type: ['object', 'null'],
            additionalProperties: false,
            properties: {
              type: word('Type of the value. Defaults to string.', 'type: integer', { enum: ['string', 'integer', 'number', 'boolean', 'list', 'map'] }),
              description: word('What the value means.', 'description: The version installed', { type: 'string' }),
              secret: word('If true, the value never appears in logs, reports, names or files.', 'secret: true', { type: 'boolean' }),
            },
          },
        },
      ),
      undo: word(
        'How to undo what the script did. It runs where the script ran: if the run fails, or (`when: always`) as soon as no remaining task uses it.',
        'undo: {run: vgchange -an build, when: always}',
        {
          type: 'object',
          required: ['run'],
          additionalProperties: false,
          properties: {
            run: scriptSchema('Script that undoes the change. It must be safe to run twice.', 'run: vgchange -an build'),
            when: word('When to undo: `failure` (the default) or `always`, which makes the task a resource.', 'when: always', {
              enum: ['failure', 'always'],
              default: 'failure',
            }),
          },
        },
      ),
      reopen: scriptSchema(
        'For a resource (`undo: {when: always}`): the script to run instead of `run` on a volume from a layer, which already contains what `run` created. It sets the same outputs. Without it, this task and all later tasks on the same volume run in every run.',
        'reopen: vgchange -ay build',
      ),
      cache: cacheSchema(
        'Whether what the task leaves on a volume may come from a layer. `false`: the task runs in every run, and so do all later tasks on the same volume. Any other value turns caching on for the whole recipe, if that sets no `cache`.',
        'cache: {max_age: 24h}',
        'that of the recipe',
        {
          layer: word(
            'If true, a layer is always made after this task. On AWS, layers are made only after such tasks; they are EBS snapshots, which cost money. Defaults to false.',
            'cache: {layer: true}',
            { type: 'boolean' },
          ),
        },
      ),
      interactive: word(
        'If true, the script gets the terminal, which shows nothing else until it ends. Without a terminal the task fails.',
        'interactive: true',
        {
          type: 'boolean',
        },
      ),
      internal: word('If true, lists do not show the task, and recipes that include this one cannot use it.', 'internal: true', { type: 'boolean' }),
      template: word('If false, `{{ }}` in `run` stays as it is written.', 'template: false', { type: 'boolean' }),
    },
    dependentRequired: {
      with: ['uses'],
      generates: ['sources'],
      ...Object.fromEntries(['shell', 'dir', 'env', 'outputs', 'undo', 'template', 'interactive', 'sources', 'status', 'reopen'].map((key) => [key, ['run']])),
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

/** The schema of `cache`. @param otherwise what `max_age` defaults to. @param more keys besides `max_age`. */
export function cacheSchema(text: string, example: string, otherwise: string, more: Record<string, Schema> = {}): Schema {
  const maxAge = `Maximum age of the work of a task that may come from a layer. Older work runs again, with all later tasks on the same volume. Defaults to ${otherwise}.`;
  return word(text, example, {
    type: ['boolean', 'object'],
    additionalProperties: false,
    properties: { max_age: word(maxAge, 'cache: {max_age: 24h}', durationSchema()), ...more },
  });
}

/** The schema of an interpreter. */
export function shellSchema(): Schema {
  return word(
    'Interpreter of `run`: a program and its arguments. The path of the script is added as the last argument.',
    'shell: [/bin/bash, -euo, pipefail]',
    {
      type: 'array',
      minItems: 1,
      items: { type: 'string' },
    },
  );
}

/** The schema of a time limit. */
export function timeoutSchema(): Schema {
  return word('Maximum duration of one attempt. When it expires, the attempt fails.', 'timeout: 20m', durationSchema());
}

/** The schema of attempts. */
export function retriesSchema(): Schema {
  return word('How many times a failed task is retried, and after what delay.', 'retries: {limit: 2, delay: 10s, backoff: 2}', {
    type: ['integer', 'object'],
    minimum: 0,
    required: ['limit'],
    additionalProperties: false,
    properties: {
      limit: word('Number of retries.', 'limit: 2', { type: 'integer', minimum: 0 }),
      delay: word('Delay before a retry.', 'delay: 10s', durationSchema()),
      backoff: word('Factor by which the delay grows with each retry.', 'backoff: 2', { type: 'number', minimum: 1 }),
    },
  });
}

function strategySchema(): Schema {
  const combinations = (text: string, example: string) => word(text, example, { type: 'array', items: { type: 'object', minProperties: 1 } });
  return word(
    'How to run the task more than once: one instance for each combination of the values of a matrix.',
    'strategy: {matrix: {arch: [amd64, arm64]}}',
    {
      type: 'object',
      required: ['matrix'],
      additionalProperties: false,
      properties: {
        matrix: word(
          'Axes, each with a list of values or a template that gives one. `{{ matrix.AXIS }}` is the value of an instance.',
          'matrix: {arch: [amd64, arm64]}',
          {
            type: 'object',
            minProperties: 1,
            propertyNames: { pattern: namePattern },
            properties: {
              include: combinations('Values to add to matching combinations, or combinations to add.', 'include: [{arch: arm64, grub: grub-efi-arm64}]'),
              exclude: combinations('Combinations to leave out.', 'exclude: [{arch: arm64, release: bookworm}]'),
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
        max_parallel: word('Maximum number of instances that run at the same time.', 'max_parallel: 2', { type: 'integer', minimum: 1 }),
      },
    },
  );
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
      file: word('Path of the script, relative to this file. It is not a template; its `#!` line names the interpreter.', 'file: scripts/packages.sh', {
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
