export async function mutate(_name: string): Promise<number> {
  return 0;
}
