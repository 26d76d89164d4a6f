/*-------------------------------------------------------------------------
 *
 * src/cluster/campaign.h
 *	  One attempt to have a view decided.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TG_CLUSTER_CAMPAIGN_H
#define TG_CLUSTER_CAMPAIGN_H

#include "transport/view.h"

typedef enum TgOutcome
{
	TG_OUTCOME_DECIDED,			/* this view, or another that was proposed
								 * before */
	TG_OUTCOME_STALE,			/* there is a newer view */
	TG_OUTCOME_OUTBID,			/* somebody else proposes, too */
	TG_OUTCOME_SHORT			/* a majority has not answered */
} TgOutcome;

typedef struct TgCampaign TgCampaign;

extern TgCampaign *tg_campaign_begin(const TgView *base, TgNodeId suspect);
extern TgOutcome tg_campaign_run(TgCampaign *campaign, const TgView *own, TgView **view);
extern void tg_campaign_tell(TgCampaign *campaign, const TgView *view);
extern const char *tg_campaign_report(const TgCampaign *campaign);
extern void tg_campaign_end(TgCampaign *campaign);

#endif							/* TG_CLUSTER_CAMPAIGN_H */
