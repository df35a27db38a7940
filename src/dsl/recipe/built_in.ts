/** The libraries that come with the program, by name, and what each is for. Their files are `recipes/lib/NAME.yml`. */
export const builtInLibraries: Readonly<Record<string, string>> = {
  amazon_chroot: "A new image with the options of Packer's amazon-chroot builder, in one region or in several.",
  ansible: 'Ansible playbooks, run on an image through the chroot connection.',
  cleanup: 'Removes what should not be on an image: host keys, logs, caches, the machine id.',
  image_from_image: 'The chroot method: a new image from an existing one or from scratch.',
};

/** What `recipe` holds where it names one of them, e.g. `chrootfile:cleanup`. */
export function builtInReference(name: string): string {
  return `chrootfile:${name}`;
}
