export interface GroupMember {
  /** Begins with the member's stable clientId: a restart comes in the same place of the order. */
  readonly id: string;
  /** The numbers it had last, as it says itself. */
  readonly owned: readonly number[];
  /** It asks for all of them, and for nobody else to have any. */
  readonly exclusive?: boolean;
}

/**
 * Who reads what: partition number p of every topic goes to the same member, so that whatever a member keeps about
 * number p (order, ledger, limits) covers all lanes and tiers. Numbers stay where they are as far as balance allows
 * (nobody has two more than another). What has to move goes home if there is room: number p to member p mod M in the
 * order of their ids. So a restart gets its numbers back, whether or not the others had them meanwhile.
 *
 * An exclusive member gets everything for as long as it is there. Of two the one that has more already, so that one that
 * waits takes nothing away.
 */
export function assignByNumber(
  members: readonly GroupMember[],
  partitionsByTopic: ReadonlyMap<string, readonly number[]>,
): Map<string, Map<string, number[]>> {
  const numbers = [...new Set([...partitionsByTopic.values()].flat())];
  const alone = exclusiveOf(members);
  const owners =
    alone === undefined ? ownersOf(members, numbers) : new Map(numbers.map((number) => [number, alone.id]));
  const result = new Map([...members].sort(byId).map(({ id }) => [id, new Map<string, number[]>()]));
  for (const [topic, partitions] of partitionsByTopic) {
    for (const partition of [...partitions].sort(ascending)) {
      const own = result.get(owners.get(partition) ?? '');
      if (own === undefined) continue;
      const list = own.get(topic);
      if (list === undefined) own.set(topic, [partition]);
      else list.push(partition);
    }
  }
  return result;
}

const exclusiveOf = (members: readonly GroupMember[]): GroupMember | undefined =>
  members
    .filter(({ exclusive }) => exclusive === true)
    .sort((a, b) => b.owned.length - a.owned.length || byId(a, b))[0];

const ascending = (a: number, b: number) => a - b;
const byId = (a: GroupMember, b: GroupMember) => (a.id < b.id ? -1 : 1);

interface Place {
  readonly id: string;
  readonly keeps: Set<number>;
  /** How many numbers it gets. */
  due: number;
}

function ownersOf(members: readonly GroupMember[], numbers: readonly number[]): Map<number, string> {
  const places: Place[] = [...members].sort(byId).map(({ id }) => ({ id, keeps: new Set(), due: 0 }));
  const owners = new Map<number, string>();
  if (places.length === 0) return owners;
  const home = (number: number) => places[number % places.length] as Place;
  const open = [...numbers].sort(ascending);

  const claims = new Map<number, string[]>();
  for (const { id, owned } of [...members].sort(byId)) {
    for (const number of new Set(owned)) claims.set(number, [...(claims.get(number) ?? []), id]);
  }
  for (const number of open) {
    const claimants = claims.get(number) ?? [];
    // Two of them: one was cut off, and does not know what it lost meanwhile. Which one, cannot be told from here.
    const keeper = claimants.find((id) => id === home(number).id) ?? claimants[0];
    places.find(({ id }) => id === keeper)?.keeps.add(number);
  }

  // The odd ones stay with those that have more than an equal share already, else they go home.
  const [share, odd] = [Math.floor(numbers.length / places.length), numbers.length % places.length];
  const surplus = ({ keeps }: Place) => Math.max(0, keeps.size - share);
  for (const [i, place] of [...places].sort((a, b) => surplus(b) - surplus(a)).entries()) {
    place.due = share + (i < odd ? 1 : 0);
  }
  for (const place of places) {
    const strangersFirst = [...place.keeps].sort(
      (a, b) => Number(home(a) === place) - Number(home(b) === place) || Number(full(home(a))) - Number(full(home(b))),
    );
    for (const number of strangersFirst.slice(0, Math.max(0, place.keeps.size - place.due))) place.keeps.delete(number);
    for (const number of place.keeps) owners.set(number, place.id);
  }

  const give = (number: number, place: Place) => {
    place.keeps.add(number);
    owners.set(number, place.id);
  };
  for (const number of open) if (!owners.has(number) && !full(home(number))) give(number, home(number));
  for (const number of open) {
    const place = owners.has(number) ? undefined : places.find((candidate) => !full(candidate));
    if (place !== undefined) give(number, place);
  }
  return owners;
}

const full = ({ keeps, due }: Place): boolean => keeps.size >= due;
