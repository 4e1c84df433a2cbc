/*
 * trace_event - what the trace says of an event, and of what followed from it.
 *
 * Nothing is kept of the events of users who have no phone.  Loop thread only.
 */
#ifndef MAILPUSH_TRACE_TRACE_EVENT_H
#define MAILPUSH_TRACE_TRACE_EVENT_H

#include "event/event.h"
#include "queue/queue.h"
#include "registry/registry_job.h"
#include "trace/trace.h"

/* Nothing follows: it is ignored, or (`is_shed`) too much waits. */
void trace_event_ignored(struct trace *trace, const struct mail_event *event, bool is_shed);
/* No registration subscribed to the mailbox. */
void trace_event_not_listed(struct trace *trace, const struct mail_event *event);
/* The subscriber of `match` is not pushed to. */
void trace_event_refused(struct trace *trace, const struct mail_event *event,
	const struct registry_match *match, enum trace_outcome why);
/* `target`, the subscriber of `match`, is pushed to as `plan` says. */
void trace_event_planned(struct trace *trace, const struct mail_event *event,
	const struct registry_match *match, const struct push_target *target,
	enum queue_urgency urgency, struct queue_plan plan);
void trace_event_registered(struct trace *trace, const struct registry_job *job);
/* The mailbox was deleted, or else renamed; `old` is its name before. */
void trace_event_mailbox_change(
	struct trace *trace, enum event_kind kind, const struct mailbox *old, bool is_delete);
void trace_event_effect(struct trace *trace, const struct registry_effect *effect);

#endif
