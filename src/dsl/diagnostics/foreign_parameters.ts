/** Names that other tools have for keys of one place of a recipe. */
export interface Vocabulary {
  readonly place: string;
  /** By tool; '' for names of no tool in particular. */
  readonly words: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** Names that other tools have for keys of inputs and strategies, and for parameters of kinds. */
export const smallVocabularies: readonly Vocabulary[] = [
  {
    place: 'secret',
    words: {
      'GitHub Actions': { options: 'enum' },
      Ansible: { choices: 'enum', no_log: 'secret', elements: '' },
      Packer: { sensitive: 'secret', validation: 'write "pattern", "enum", "minimum" or "maximum"' },
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
      'GitHub Actions': {
        'fail-fast': 'run it with chrootfile run --keep-going',
        fail_fast: 'run it with chrootfile run --keep-going',
        'max-parallel': 'max_parallel',
      },
    },
  },
  { place: 'message', words: { Taskfile: { msg: 'message' }, Ansible: { that: 'sh', fail_msg: 'message' }, '': { cmd: 'sh', run: 'sh', command: 'sh' } } },
  {
    place: 'recipe',
    words: {
      Taskfile: {
        taskfile: 'recipe',
        vars: 'with',
        dir: 'a library runs in its own folder; remove it',
        internal: '',
        flatten: '',
        checksum: 'use an npm package: its lock file has the checksum',
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
      '': { max: 'limit', attempts: 'limit', count: 'limit', wait: 'delay', 'exit-codes': 'exit with 0 if it is not a failure' },
    },
  },
  {
    place: 'partition',
    words: {
      '': {
        target: 'path',
        mountpoint: 'path',
        mount_path: 'path',
        dir: 'path',
        source: 'device',
        src: 'device',
        fstype: 'type',
        opts: 'options',
        flags: 'options',
      },
    },
  },
  { place: 'add_mounts', words: { '': { path: 'root', dir: 'root', mount_path: 'root', target: 'root', chroot_mounts: 'mounts', files: 'copy_files' } } },
  {
    place: 'owner',
    words: {
      '': {
        src: 'from',
        source: 'from',
        dest: 'to',
        destination: 'to',
        target: 'to',
        path: 'to',
        user: 'owner',
        group: 'owner',
        chmod: 'mode',
        permissions: 'mode',
      },
      Ansible: { content: 'write the text with "run": cat > FILE' },
    },
  },
  {
    place: 'throughput',
    words: {
      Terraform: { availability_zone: 'zone', volume_type: 'type' },
      Packer: { root_volume_size: 'size', volume_size: 'size' },
      '': { az: 'zone', size_gb: 'size', size_gib: 'size' },
    },
  },
  { place: 'most_recent', words: { '': { ami: 'id', image: 'id', image_id: 'id', source_ami: 'id', filter: 'filters', owner: 'owners' } } },
  { place: 'force_deregister', words: { '': { ami_name: 'name', source_ami: 'source', ami_description: 'description', ami_regions: 'regions' } } },
  { place: 'file', words: { '': { script: 'file', path: 'file', src: 'file' } } },
];
