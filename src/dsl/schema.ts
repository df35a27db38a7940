import type { KindDeclaration } from './kind.js';
import { durationPattern, namePattern, taskPattern, templatePattern } from './words.js';

type Schema = Record<string, unknown>;

/** JSON Schema keywords that only editors read; ajv must be told of them. */
export const editorKeywords = ['markdownDescription', 'markdownEnumDescriptions', 'defaultSnippets', 'patternErrorMessage'];

/** The JSON Schema (2020-12) of a recipe: what ajv checks and what editors complete from, in one. */
export function recipeSchema(kinds: readonly KindDeclaration[]): Schema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    description: 'A recipe of chrootfile',
    type: 'object',
    required: ['version', 'tasks'],
    additionalProperties: false,
    properties: topLevel(),
    $defs: {
      task: taskSchema(kinds),
      ...Object.fromEntries(kinds.map((kind) => [kind.name, templatable(kind.params, true)])),
    },
  };
}

function topLevel(): Record<string, Schema> {
  return {
    version: word('The version of the language. Always 1.', 'version: 1', { const: 1 }),
    name: word('A short name for the recipe; part of the ids of its runs.', 'name: web', {
      type: 'string',
      pattern: '^[A-Za-z0-9][A-Za-z0-9_-]*$',
      patternErrorMessage: 'letters, digits, - and _',
    }),
    description: word('What the recipe makes, for people.', 'description: nginx on our base image', { type: 'string' }),
    cloud: word('Where volumes and images live. `local`, the default, is the embedded EC2 on this machine.', 'cloud: {provider: aws, region: eu-west-1}', {
      type: 'object',
      required: ['provider'],
      additionalProperties: false,
      properties: {
        provider: word('`aws`, or `local` for the embedded EC2.', 'provider: aws', { enum: ['local', 'aws'] }),
        region: word('Region; else that of the environment, the profile, or the instance.', 'region: eu-west-1', { type: 'string' }),
        profile: word('A profile of the shared AWS configuration.', 'profile: images', { type: 'string' }),
        endpoint: word('Another EC2 endpoint.', 'endpoint: http://127.0.0.1:4566', { type: 'string' }),
      },
    }),
    inputs: word(
      'Values the recipe is given from outside, each with a type.',
      'inputs:\n  size: {type: integer, default: 8, description: Root volume size in GiB}',
      {
        type: 'object',
        propertyNames: { pattern: namePattern },
        additionalProperties: inputSchema(),
      },
    ),
    vars: word(
      'Names for values used in several places. `{sh: …}` is the output of a command, run once on the host before the first task.',
      'vars: {image_name: "web-{{ run.timestamp }}"}',
      {
        type: 'object',
        propertyNames: { pattern: namePattern },
      },
    ),
    includes: word('Libraries: other recipes whose tasks and outputs are used under a name.', 'includes:\n  ami: {recipe: lib/chroot.yml, with: {name: web}}', {
      type: 'object',
      propertyNames: { pattern: namePattern },
      additionalProperties: {
        type: 'object',
        required: ['recipe'],
        additionalProperties: false,
        properties: {
          recipe: word('Path of the library, relative to this file.', 'recipe: lib/chroot.yml', { type: 'string' }),
          with: word("Values of the library's inputs; they may refer to tasks.", 'with: {name: "{{ vars.image_name }}"}', { type: 'object' }),
        },
      },
    }),
    env: envSchema('Environment of all shell tasks of this recipe.'),
    tasks: word('What is to be done, by name. Order comes from `needs`, `in` and references.', 'tasks:\n  hello: {run: echo hello}', {
      type: 'object',
      propertyNames: { pattern: namePattern },
      additionalProperties: { $ref: '#/$defs/task' },
    }),
    goals: word('The tasks that are run when the command line names none; else all that are not `internal`.', 'goals: [image]', {
      type: 'array',
      items: { type: 'string', pattern: taskPattern },
    }),
    outputs: word('Values printed at the end and kept in the folder of the run.', 'outputs: {image_id: "{{ image.id }}"}', {
      type: 'object',
      propertyNames: { pattern: namePattern },
    }),
  };
}

function inputSchema(): Schema {
  return {
    type: 'object',
    additionalProperties: false,
    required: ['type'],
    properties: {
      type: word('The type of the value. A `path` is relative to the file that says it, on the command line to the working folder.', 'type: integer', {
        enum: ['string', 'path', 'integer', 'number', 'boolean', 'list', 'map'],
      }),
      description: word('What the value means, with its unit.', 'description: Root volume size in GiB', { type: 'string' }),
      default: word('The value when none is given.', 'default: 8', {}),
      required: word('Whether a value must be given.', 'required: true', { type: 'boolean' }),
      enum: word('The values allowed.', 'enum: [bookworm, trixie]', { type: 'array', minItems: 1 }),
      pattern: word('A regular expression a string must match.', 'pattern: "^ami-"', { type: 'string' }),
      minimum: word('The least number allowed.', 'minimum: 1', { type: 'number' }),
      maximum: word('The greatest number allowed.', 'maximum: 64', { type: 'number' }),
      secret: word('Kept out of logs, reports, names and files.', 'secret: true', { type: 'boolean' }),
    },
  };
}

function taskSchema(kinds: readonly KindDeclaration[]): Schema {
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
      needs: tasksSchema('Tasks that must have ended well before this one; `NAME.released` waits for the release of a hold.', 'needs: [packages]'),
      before: tasksSchema('Tasks that shall wait for this one: the reverse of `needs`, also into a library.', 'before: [ami.image]'),
      if: word('Skips the task unless this renders to `true`.', 'if: "{{ eq inputs.flavor \'full\' }}"', {
        type: ['boolean', 'string'],
        pattern: templatePattern,
        patternErrorMessage: 'true, false, or a template that renders to one of them',
      }),
      env: envSchema('Environment of this task, over that of the recipe.'),
      dir: word('Working directory: relative to the recipe on the host, a path inside the image in a chroot.', 'dir: /srv', { type: 'string' }),
      shell: word('The interpreter of `run`: a program and its arguments; the script comes as one more argument.', 'shell: [/bin/bash, -euo, pipefail]', {
        type: 'array',
        minItems: 1,
        items: { type: 'string' },
      }),
      timeout: word('The longest the task may take; it fails then.', 'timeout: 20m', durationSchema()),
      retries: word('How often a failed task is tried again, and after how long.', 'retries: {limit: 2, delay: 10s, backoff: 2}', {
        type: ['integer', 'object'],
        minimum: 0,
        required: ['limit'],
        additionalProperties: false,
        properties: {
          limit: word('How often to try again.', 'limit: 2', { type: 'integer', minimum: 0 }),
          delay: word('How long to wait before.', 'delay: 10s', durationSchema()),
          backoff: word('By what the delay is multiplied each time.', 'backoff: 2', { type: 'number', minimum: 1 }),
        },
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
            when: word('`failure`, the default; `always` makes the task a hold.', 'when: always', { enum: ['failure', 'always'], default: 'failure' }),
          },
        },
      ),
      internal: word('Hidden from lists and from recipes that include this one.', 'internal: true', { type: 'boolean' }),
      template: word('`false` leaves `{{ }}` in `run` alone.', 'template: false', { type: 'boolean' }),
    },
    dependentRequired: { with: ['uses'], shell: ['run'], dir: ['run'], env: ['run'], outputs: ['run'], undo: ['run'], template: ['run'] },
    allOf: [
      { if: { required: ['uses'] }, then: { properties: { run: false } } },
      ...kinds.map((kind) => ({
        if: { required: ['uses'], properties: { uses: { const: kind.name } } },
        then: {
          properties: { with: { $ref: `#/$defs/${kind.name}` }, ...(kind.in === 'none' ? { in: false } : {}) },
          required: [...(kind.params.required?.length ? ['with'] : []), ...(kind.in === 'required' ? ['in'] : [])],
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

function tasksSchema(text: string, example: string): Schema {
  return word(text, example, { type: 'array', items: { type: 'string', pattern: taskPattern } });
}

function envSchema(text: string): Schema {
  return word(text, 'env: {DEBIAN_FRONTEND: noninteractive}', {
    type: 'object',
    propertyNames: { pattern: '^[A-Za-z_][A-Za-z0-9_]*$' },
    additionalProperties: { type: ['string', 'number', 'boolean', 'null'] },
  });
}

function durationSchema(): Schema {
  return { type: 'string', pattern: durationPattern, patternErrorMessage: 'a duration such as 90s, 20m or 2h' };
}

/** A key with its hover text and an example. */
function word(text: string, example: string, schema: Schema): Schema {
  return { description: text, markdownDescription: `${text}\n\n\`\`\`yaml\n${example}\n\`\`\``, ...schema };
}

/** A schema that takes a template wherever the given one takes a value, and null for "left out". */
function templatable(schema: unknown, top = false): Schema {
  const { type, enum: values, pattern, properties, items, additionalProperties, description, default: preset, ...rest } = schema as Schema;
  const example = top || description === undefined ? {} : hover(String(description), preset, schema as Schema);
  const inner: Schema = { ...rest, ...example };
  if (properties !== undefined) {
    inner['properties'] = Object.fromEntries(Object.entries(properties as Schema).map(([name, s]) => [name, templatable(s)]));
  }
  if (typeof additionalProperties === 'object') inner['additionalProperties'] = templatable(additionalProperties);
  else if (additionalProperties !== undefined) inner['additionalProperties'] = additionalProperties;
  if (items !== undefined) inner['items'] = templatable(items);
  if (top) return { ...inner, type };
  const closed: Schema | undefined = values !== undefined ? { enum: values } : pattern !== undefined ? { pattern } : undefined;
  // Not anyOf: editors show the hover text of each branch, and offer the values of all.
  if (closed !== undefined) {
    const offered = values === undefined ? {} : { defaultSnippets: (values as unknown[]).map((value) => ({ label: String(value), body: value })) };
    return { ...inner, ...offered, type: ['string', 'null'], if: { type: 'string', not: { pattern: templatePattern } }, then: { description, ...closed } };
  }
  if (type === undefined) return inner;
  const types = [type].flat();
  if (types.includes('string')) return { ...inner, type: [...types, 'null'] };
  return { ...inner, type: [...types, 'string', 'null'], pattern: templatePattern };
}

function hover(description: string, preset: unknown, schema: Schema): Schema {
  const tail = preset === undefined ? '' : `\n\nDefault: \`${JSON.stringify(preset)}\``;
  const examples = schema['examples'] as unknown[] | undefined;
  const example = examples?.[0] === undefined ? '' : `\n\nExample: \`${JSON.stringify(examples[0])}\``;
  return { description, markdownDescription: `${description}${tail}${example}`, ...(preset === undefined ? {} : { default: preset }) };
}
