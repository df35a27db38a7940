import { builtInLibraries, builtInReference } from '../recipe/built_in.js';
import type { KindDeclaration } from '../recipe/kind.js';
import { namePattern, taskNamePattern } from '../syntax/lexical.js';
import { envSchema, type Schema, templatable, word } from './parts.js';
import { cacheSchema, retriesSchema, shellSchema, taskSchema, tasksSchema, timeoutSchema } from './task.js';

/** JSON Schema keywords that only editors read; ajv must know them. */
export const editorKeywords = ['markdownDescription', 'markdownEnumDescriptions', 'defaultSnippets', 'patternErrorMessage'];

/** The JSON Schema (2020-12) of a recipe, for ajv and for editors. */
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
      ...Object.fromEntries(kinds.map((kind) => [kind.name, kindSchema(kind)])),
    },
  };
}

function kindSchema({ params, requiresOneOf }: KindDeclaration): Schema {
  const schema = templatable(params, true);
  return requiresOneOf === undefined ? schema : { ...schema, anyOf: requiresOneOf.map((name) => ({ required: [name] })) };
}

function topLevel(): Record<string, Schema> {
  return {
    version: word('Version of the recipe language. Always 1.', 'version: 1', { const: 1 }),
    name: word('Short name of the recipe. It is part of the ids of its runs.', 'name: web', {
      type: 'string',
      pattern: '^[A-Za-z0-9][A-Za-z0-9_-]*$',
      patternErrorMessage: 'letters, digits, - and _',
    }),
    description: word('What the recipe builds.', 'description: nginx on our base image', { type: 'string' }),
    cloud: word(
      'Where volumes and images are created. `local` (the default) is the embedded EC2 on this machine.',
      'cloud: {provider: aws, region: eu-west-1}',
      {
        type: 'object',
        required: ['provider'],
        additionalProperties: false,
        properties: {
          provider: word('`aws`, or `local` for the embedded EC2.', 'provider: aws', { enum: ['local', 'aws'] }),
          region: word('Region. Defaults to that of the environment, the profile, or the instance.', 'region: eu-west-1', { type: 'string' }),
          profile: word('Profile in the shared AWS configuration.', 'profile: images', { type: 'string' }),
          credentials_file: word('Shared credentials file. Defaults to `~/.aws/credentials`.', 'credentials_file: /etc/images/credentials', {
            type: 'string',
          }),
          assume_role: assumeRoleSchema(),
          endpoint: word('URL of the EC2 endpoint. Defaults to that of AWS.', 'endpoint: http://127.0.0.1:4566', { type: 'string' }),
          sts_endpoint: word('URL of the STS endpoint. Defaults to that of AWS.', 'sts_endpoint: http://127.0.0.1:4566', { type: 'string' }),
          tls_verify: word('Whether to verify the certificates of endpoints. Defaults to true.', 'tls_verify: false', { type: 'boolean' }),
          max_attempts: word('Maximum number of attempts for a request that can be retried. Defaults to 10 on AWS.', 'max_attempts: 20', {
            type: 'integer',
            minimum: 1,
          }),
          volumes: word(
            'Where the disks of volumes are. `attach` (the default) attaches EBS volumes to this machine, which is an EC2 instance. `direct` keeps them as files on this machine, which can be any, and transfers snapshots by the EBS direct APIs. `auto` is `attach` on an EC2 instance in the region, and `direct` elsewhere. For `provider: aws` only.',
            'volumes: direct',
            { enum: ['attach', 'direct', 'auto'] },
          ),
        },
      },
    ),
    cache: cacheSchema(
      'Caches what tasks leave on volumes. A volume starts from a layer that an earlier run made; only changed tasks run, and all later tasks on the same volume. `false` turns caching off, also for tasks that set `cache`.',
      'cache: {max_age: 24h}',
      'no limit',
    ),
    inputs: word('Values that are set from outside, each with a type.', 'inputs:\n  size: {type: integer, default: 8, description: Root volume size in GiB}', {
      type: 'object',
      propertyNames: { pattern: namePattern },
      additionalProperties: inputSchema(),
    }),
    vars: word(
      'Variables: named values to use in several places. `{sh: …}` is the output of a command that runs once on the build host, before the first task.',
      'vars: {image_name: "web-{{ run.timestamp }}"}',
      {
        type: 'object',
        propertyNames: { pattern: namePattern },
      },
    ),
    includes: word(
      'Libraries: other recipes, whose tasks and outputs are available under a name.',
      'includes:\n  ami: {recipe: "chrootfile:image_from_image", with: {name: web}}',
      {
        type: 'object',
        propertyNames: { pattern: taskNamePattern },
        additionalProperties: {
          type: 'object',
          required: ['recipe'],
          additionalProperties: false,
          properties: {
            recipe: word(
              `A built-in library (${Object.keys(builtInLibraries)
                .map((name) => `\`${builtInReference(name)}\``)
                .join(', ')}), the path of a library relative to this file, or \`npm:PACKAGE/FILE\` for a file of an npm package.`,
              'recipe: "chrootfile:amazon_chroot"',
              { type: 'string', examples: Object.keys(builtInLibraries).map(builtInReference) },
            ),
            with: word("Values of the library's inputs. They may refer to tasks.", 'with: {name: "{{ vars.image_name }}"}', { type: 'object' }),
          },
        },
      },
    ),
    env: envSchema('Environment variables of all scripts of this recipe.'),
    defaults: word('Defaults for tasks of this recipe that do not set these keys.', 'defaults: {shell: [/bin/bash, -euo, pipefail], timeout: 30m}', {
      type: 'object',
      additionalProperties: false,
      properties: { shell: shellSchema(), timeout: timeoutSchema(), retries: retriesSchema() },
    }),
    tasks: word('The tasks, by name. Their order follows from `needs`, `in` and references.', 'tasks:\n  hello: {run: echo hello}', {
      type: 'object',
      propertyNames: { pattern: taskNamePattern },
      additionalProperties: { $ref: '#/$defs/task' },
    }),
    goals: tasksSchema(
      'Tasks to run if the command line names none. Defaults to all tasks that are not `internal`, and those that `outputs` refer to.',
      'goals: [image]',
    ),
    outputs: word('Values that are printed at the end and stored in the folder of the run.', 'outputs: {image_id: "{{ image.id }}"}', {
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
      type: word('Type of the value. A `path` is relative to the file that sets it; on the command line, to the working directory.', 'type: integer', {
        enum: ['string', 'path', 'integer', 'number', 'boolean', 'list', 'map'],
      }),
      description: word('What the value means, with its unit.', 'description: Root volume size in GiB', { type: 'string' }),
      default: word('Value if none is set.', 'default: 8', {}),
      required: word('Whether a value must be set.', 'required: true', { type: 'boolean' }),
      enum: word('Allowed values.', 'enum: [bookworm, trixie]', { type: 'array', minItems: 1 }),
      pattern: word('Regular expression that a string must match.', 'pattern: "^ami-"', { type: 'string' }),
      minimum: word('Smallest allowed number.', 'minimum: 1', { type: 'number' }),
      maximum: word('Largest allowed number.', 'maximum: 64', { type: 'number' }),
      secret: word('If true, the value never appears in logs, reports, names or files.', 'secret: true', { type: 'boolean' }),
    },
  };
}

function assumeRoleSchema(): Schema {
  const text = (description: string, example: string) => word(description, example, { type: 'string' });
  return word('Role to assume before the first EC2 request.', 'assume_role: {role_arn: "arn:aws:iam::123456789012:role/images"}', {
    type: 'object',
    required: ['role_arn'],
    additionalProperties: false,
    properties: {
      role_arn: text('ARN of the role.', 'role_arn: "arn:aws:iam::123456789012:role/images"'),
      session_name: text('Name of the session. Defaults to `chrootfile`.', 'session_name: nightly'),
      external_id: text('External id that the role requires.', 'external_id: images'),
      duration_seconds: word('Lifetime of the credentials in seconds. They are renewed before they expire.', 'duration_seconds: 3600', {
        type: 'integer',
        minimum: 900,
        maximum: 43_200,
      }),
      policy: text('Policy in JSON that restricts what the role allows.', 'policy: "{…}"'),
      policy_arns: word('Managed policies that restrict what the role allows.', 'policy_arns: ["arn:aws:iam::aws:policy/AmazonEC2FullAccess"]', {
        type: 'array',
        items: { type: 'string' },
      }),
      tags: word('Tags of the session.', 'tags: {team: images}', { type: 'object', additionalProperties: { type: 'string' } }),
      transitive_tag_keys: word('Keys of the tags that roles assumed from this one inherit.', 'transitive_tag_keys: [team]', {
        type: 'array',
        items: { type: 'string' },
      }),
      mfa_serial: text(
        'Serial number or ARN of the MFA device. The environment variable `CHROOTFILE_MFA_CODE` provides the code.',
        'mfa_serial: "arn:aws:iam::123456789012:mfa/me"',
      ),
    },
  });
}
