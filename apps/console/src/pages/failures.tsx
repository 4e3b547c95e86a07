import { useCampaignNames } from '../failures/campaign-names.ts';
import { FilterBar } from '../failures/filter-bar.tsx';
import { useLetterFilters } from '../failures/filters.ts';
import { HistoryCard } from '../failures/history-card.tsx';
import { LettersCard } from '../failures/letters-card.tsx';
import { ReasonsCard } from '../failures/reasons-card.tsx';
import { Page } from '../ui/parts.tsx';

export function FailuresPage() {
  const { filters, change, isFiltered } = useLetterFilters();
  const { campaigns, nameOf } = useCampaignNames();
  return (
    <Page
      title="Failures"
      about="Messages that were refused for good or given up. They wait here until somebody sends them again or purges them."
    >
      <FilterBar filters={filters} isFiltered={isFiltered} campaigns={campaigns} onChange={change} />
      <ReasonsCard filters={filters} isFiltered={isFiltered} />
      <HistoryCard nameOf={nameOf} />
      <LettersCard key={JSON.stringify(filters)} filters={filters} nameOf={nameOf} />
    </Page>
  );
}
