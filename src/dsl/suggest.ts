/**
 * What other tools call our keys, by where they stand there; recognised in messages, never accepted. A value of one
 * word is the key here; anything else is said as it is.
 */
const vocabularies: readonly Vocabulary[] = [
  {
    // A place is known by a key that only it has.
    place: 'tasks',
    words: {
      Taskfile: {
        dotenv: 'give values by "inputs", and --inputs FILE',
        shopt: 'defaults',
        set: 'defaults',
        silent: 'use chrootfile run --quiet',
        interval: '',
        method: '',
      },
      'GitHub Actions': {
        jobs: 'tasks',
        steps: 'tasks',
        on: 'a recipe runs when it is told to; take this out',
        permissions: '',
        concurrency: 'give tasks "locks: [NAME]"',
        runs: 'tasks',
      },
      Ansible: {
        hosts: 'a recipe works on images; take this out',
        roles: 'includes',
        handlers: 'give tasks "needs"',
        vars_files: 'give values by "inputs", and --inputs FILE',
        vars_prompt: 'inputs',
        become: 'run it as root',
        gather_facts: '',
      },
      Argo: {
        spec: 'tasks',
        templates: 'tasks',
        entrypoint: 'goals',
        onExit: 'give tasks "undo", with when: always',
        arguments: 'inputs',
        volumes: 'a task with "uses: ec2.volume" makes one',
        apiVersion: 'version',
        kind: '',
        metadata: 'name',
      },
      Packer: {
        variables: 'inputs',
        variable: 'inputs',
        locals: 'vars',
        local: 'vars',
        builders: 'give tasks "uses"',
        source: 'give tasks "uses"',
        build: 'tasks',
        provisioners: 'give tasks "run"',
        'post-processors': 'give tasks "needs: [image]"',
        'sensitive-variables': 'write secret: true at the input',
        required_plugins: '',
        data: 'a task with "uses: ec2.source_image" finds an image',
      },
      make: {
        '.PHONY': 'every task runs when it is a goal, unless it has "sources"; take this out',
        '.SILENT': 'use chrootfile run --quiet',
        '.DEFAULT_GOAL': 'goals',
        SHELL: 'write defaults: {shell: […]}',
        all: 'goals',
        default: 'goals',
      },
      Terraform: { provider: 'cloud', resource: 'give tasks "uses"', module: 'includes', output: 'outputs', terraform: '' },
      '': {
        import: 'includes',
        imports: 'includes',
        include: 'includes',
        extends: 'includes',
        environment: 'env',
        parameters: 'inputs',
        params: 'inputs',
        targets: 'tasks',
        stages: 'tasks',
        desc: 'description',
        title: 'name',
        finally: 'give tasks "undo", with when: always',
        task: 'tasks',
        region: 'write cloud: {provider: aws, region: …}',
        default_goal: 'goals',
      },
    },
  },
  {
    place: 'needs',
    words: {
      Taskfile: {
        deps: 'needs',
        cmds: 'run',
        cmd: 'run',
        desc: 'description',
        summary: 'description',
        defer: 'undo',
        ignore_error: 'continue_on_error',
        for: 'strategy.matrix',
        requires: 'give inputs "required: true"',
        vars: '"vars" stand at the top of the recipe',
        label: 'description',
        silent: 'use chrootfile run --quiet',
        interactive: 'a task has no terminal; try run --on-failure shell',
        prompt: 'use chrootfile run --step',
        aliases: 'a group is another name: {needs: [this]}',
        method: 'sources',
        platforms: 'if',
        watch: '',
      },
      'GitHub Actions': {
        steps: 'run',
        'working-directory': 'dir',
        'timeout-minutes': 'write timeout: 5m',
        timeout_minutes: 'write timeout: 5m',
        'continue-on-error': 'continue_on_error',
        'runs-on': 'in',
        container: 'in',
        services: 'before',
        concurrency: 'locks',
        matrix: 'strategy.matrix',
        defaults: '"defaults" stand at the top of the recipe',
        inputs: '"inputs" stand at the top of the recipe',
        id: 'a task is named by its key',
        name: 'description',
      },
      Ansible: {
        when: 'if',
        register: 'outputs',
        ignore_errors: 'continue_on_error',
        chdir: 'dir',
        loop: 'strategy.matrix',
        with_items: 'strategy.matrix',
        loop_control: 'strategy.matrix',
        creates: 'generates',
        removes: 'status',
        changed_when: 'status',
        failed_when: 'exit with another code than 0 in "run"',
        until: 'retries',
        delay: 'write retries: {limit: 2, delay: 10s}',
        rescue: 'undo',
        block: 'needs',
        always: 'undo',
        notify: 'before',
        environment: 'env',
        become: 'a run is root already',
        throttle: 'write strategy: {max_parallel: …}',
        no_log: 'make the input, or the output, secret: true',
        args: 'with',
        delegate_to: 'without "in" a task runs on the host',
      },
      Argo: {
        depends: 'needs',
        dependencies: 'needs',
        arguments: 'with',
        template: 'uses',
        withItems: 'strategy.matrix',
        withParam: 'strategy.matrix',
        retryStrategy: 'retries',
        activeDeadlineSeconds: 'write timeout: 5m',
        continueOn: 'continue_on_error',
        synchronization: 'locks',
        mutex: 'locks',
        memoize: 'sources',
        hooks: 'undo',
        onExit: 'undo',
        source: 'run',
        parallelism: 'write strategy: {max_parallel: …}',
      },
      Packer: {
        inline: 'run',
        script: 'run',
        scripts: 'run',
        environment_vars: 'env',
        execute_command: 'shell',
        inline_shebang: 'shell',
        max_retries: 'retries',
        pause_before: 'write retries: {limit: 1, delay: 10s}',
        type: 'uses',
        only: 'if',
        except: 'if',
        override: 'if',
        valid_exit_codes: 'end "run" with || true',
        start_retry_timeout: 'retries',
      },
      make: { prerequisites: 'needs', order_only: 'needs', recipe: 'run', phony: 'a task without "sources" always runs; take this out', target: 'generates' },
      turbo: { dependsOn: 'needs', cache: 'sources' },
      '': {
        depends_on: 'needs',
        requires_tasks: 'needs',
        after: 'needs',
        needed_by: 'before',
        required_by: 'before',
        command: 'run',
        commands: 'run',
        exec: 'run',
        shell_script: 'run',
        params: 'with',
        parameters: 'with',
        cwd: 'dir',
        workdir: 'dir',
        retry: 'retries',
        retryCount: 'retries',
        timeouts: 'timeout',
        environment: 'env',
        rollback: 'undo',
        cleanup: 'undo',
        post: 'undo',
        on_failure: 'undo',
        finally: 'undo',
        import: '"includes" stand at the top of the recipe',
        extends: '"includes" stand at the top of the recipe',
        kind: 'uses',
        chroot: 'in',
        output: 'outputs',
        inputs_files: 'sources',
        outputs_files: 'generates',
        lock: 'locks',
        private: 'internal',
        hidden: 'internal',
        condition: 'if',
        unless: 'if',
        uptodate: 'status',
        file: 'write run: {file: …}',
      },
    },
  },
  {
    place: 'secret',
    words: {
      'GitHub Actions': { options: 'enum' },
      Ansible: { choices: 'enum', no_log: 'secret', elements: '' },
      Packer: { sensitive: 'secret', validation: 'pattern' },
      Argo: { value: 'default' },
      '': {
        regex: 'pattern',
        match: 'pattern',
        min: 'minimum',
        max: 'maximum',
        values: 'enum',
        allowed: 'enum',
        one_of: 'enum',
        desc: 'description',
        help: 'description',
        optional: 'leave out "required"',
        nullable: 'leave out "required"',
        mandatory: 'required',
      },
    },
  },
  {
    place: 'max_parallel',
    words: {
      'GitHub Actions': { 'fail-fast': 'use chrootfile run --keep-going', fail_fast: 'use chrootfile run --keep-going', 'max-parallel': 'max_parallel' },
    },
  },
  { place: 'message', words: { Taskfile: { msg: 'message' }, Ansible: { that: 'sh', fail_msg: 'message' }, '': { cmd: 'sh', run: 'sh', command: 'sh' } } },
  {
    place: 'recipe',
    words: {
      Taskfile: {
        taskfile: 'recipe',
        vars: 'with',
        dir: 'a library keeps its own folder; take this out',
        internal: '',
        flatten: '',
        checksum: 'use an npm package, whose lock file has it',
      },
      'GitHub Actions': { uses: 'recipe', inputs: 'with' },
      Terraform: { source: 'recipe' },
      '': { from: 'recipe', path: 'recipe', file: 'recipe', inputs: 'with', vars: 'with' },
    },
  },
  {
    place: 'delay',
    words: {
      Argo: { duration: 'delay', factor: 'backoff' },
      '': { max: 'limit', attempts: 'limit', count: 'limit', wait: 'delay', 'exit-codes': 'exit with 0 where it is no failure' },
    },
  },
];

interface Vocabulary {
  readonly place: string;
  /** By tool; '' for words of no tool or of many. */
  readonly words: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** A hint for an unknown word among those known: another tool's name for one of them, a near miss, or the list. */
export function hintFor(word: string, known: readonly string[]): string | undefined {
  const foreign = foreignWord(word, known);
  if (foreign !== undefined) return foreign;
  const near = nearest(word, known);
  if (near !== undefined) return `did you mean "${near}"?`;
  if (known.length === 0) return undefined;
  const sorted = [...known].sort((a, b) => distance(word, a) - distance(word, b));
  return `known here: ${sorted.slice(0, 8).join(', ')}${sorted.length > 8 ? ', …' : ''}`;
}

function foreignWord(word: string, known: readonly string[]): string | undefined {
  for (const { place, words } of vocabularies) {
    if (!known.includes(place)) continue;
    for (const [tool, own] of Object.entries(words)) {
      const ours = Object.hasOwn(own, word) ? own[word] : undefined;
      if (ours === undefined) continue;
      const theirs = tool === '' ? `"${word}"` : `${tool}${tool.endsWith('s') ? "'" : "'s"} "${word}"`;
      if (ours === '') return `${theirs} has no counterpart here; take it out`;
      return /^[a-z_.]+$/.test(ours) ? `${theirs} is "${ours}" here` : `for ${theirs}: ${ours}`;
    }
  }
  return undefined;
}

/** A hint for a name in a template that other tools' templates use. */
export function hintForPath(path: readonly string[]): string | undefined {
  const [first = '', second, third, fourth] = path;
  const output = third === 'outputs' && second !== undefined ? `${second}.${fourth ?? 'NAME'}` : undefined;
  if (['needs', 'steps', 'tasks', 'jobs'].includes(first))
    return output === undefined ? 'a task is named by itself: {{ TASK.OUTPUT }}' : `write {{ ${output} }}`;
  if (first === 'item') return 'Ansible\'s and Argo\'s "item" is "matrix.NAME" here, in a task with "strategy"';
  if (['var', 'input', 'params', 'parameters'].includes(first)) return `write {{ inputs.${second ?? 'NAME'} }}`;
  if (first === 'local') return `write {{ vars.${second ?? 'NAME'} }}`;
  if (['isotime', 'timestamp', 'uuid'].includes(first)) return `Packer's "${first}" is "run.${first}" here`;
  if (['secrets', 'github', 'runner', 'workflow', 'build', 'source', 'hostvars'].includes(first))
    return `give the value by an input: {{ inputs.${second ?? 'NAME'} }}`;
  if (/^[A-Z_]+$/.test(first)) return `a variable of the environment is {{ env.${first} }}; one of the recipe {{ vars.${first.toLowerCase()} }}`;
  if (first.startsWith('ansible_')) return 'give the value by an input, or by {sh: …} in "vars"';
  return undefined;
}

/** A hint for text that other tools' templates use, where it is no template here. */
export function hintForSyntax(text: string): string | undefined {
  if (/^\{\{-?\s*user\s/.test(text)) return "Packer's {{ user `x` }} is {{ inputs.x }} here";
  if (/^\{\{-?\s*env\s/.test(text)) return "Packer's {{ env `X` }} is {{ env.X }} here";
  if (/^\{\{-?\s*build\s/.test(text)) return "Packer's {{ build `X` }} is an output here: {{ TASK.OUTPUT }}";
  if (/^\{\{-?\s*\.[A-Z_]+\s*-?\}\}/.test(text)) return "Taskfile's {{.NAME}} is {{ vars.name }} or {{ inputs.name }} here; for literal braces write \\{{";
  if (/^\{\{[^}]*\|/.test(text)) return 'there are no filters; helpers come first: {{ lower inputs.x }}, {{ default inputs.x "y" }}';
  if (/^\{\{[^}]*(==|!=|&&|\|\|)/.test(text)) return 'write {{ eq a b }}, {{ ne a b }}, {{ and a b }}, {{ or a b }}';
  return undefined;
}

/** The known word a typo was probably meant to be. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const d = distance(word.toLowerCase(), candidate.toLowerCase());
    if (d < least && d < word.length) [best, least] = [candidate, d];
  }
  return best;
}

/** Edits between two words, a swap of neighbours counting as one (optimal string alignment). */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let d = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) d = Math.min(d, (before[j - 2] ?? 0) + 1);
      row.push(d);
    }
    [before, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
