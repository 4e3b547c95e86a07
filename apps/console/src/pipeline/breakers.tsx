import type { PipelineView } from '../api/types.ts';
import { formatCount } from '../format.ts';
import { Badge, ForeignLine, Time } from '../ui/parts.tsx';
import { Table, Td, Th } from '../ui/table.tsx';

const SHOWN = 20;

/** Those that are not closed: a webhook may have thousands of hosts. */
export const Breakers = ({ breakers }: { breakers: NonNullable<PipelineView['breakers']> }) =>
  breakers.length === 0 ? (
    <p className="text-soft">All breakers of living dispatchers are closed: providers are called as messages come.</p>
  ) : (
    <Table label="Breakers that are not closed">
      <thead>
        <tr>
          <Th>Provider</Th>
          <Th>State</Th>
          <Th>Tried again</Th>
          <Th>Dispatcher</Th>
        </tr>
      </thead>
      <tbody>
        {breakers.slice(0, SHOWN).map((each) => (
          <tr key={`${each.dispatcher} ${each.tenant_id} ${each.provider} ${each.host}`}>
            <Td className="max-w-64">
              <ForeignLine text={each.provider} className="font-medium" />
              {each.host !== null && <ForeignLine text={each.host} className="text-soft" />}
            </Td>
            <Td>
              <Badge tone={each.state === 'open' ? 'bad' : 'warn'}>{each.state}</Badge>
            </Td>
            <Td>
              <Time iso={each.probe_at} />
            </Td>
            <Td className="max-w-48">
              <ForeignLine text={each.dispatcher} />
            </Td>
          </tr>
        ))}
        {breakers.length > SHOWN && (
          <tr>
            <Td colSpan={4} className="num text-soft">
              and {formatCount(breakers.length - SHOWN)} more
            </Td>
          </tr>
        )}
      </tbody>
    </Table>
  );
