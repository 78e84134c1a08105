/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of the timeline, and which of them go together.
 */
#include <math.h>

#include "model/study.h"

/* Ceilings: of a time [ns], and of what a time by chance may be the mean of. */
#define LONGEST      1e18
#define LONGEST_MEAN 1e16

/* Statuses of errors. */
enum { ERROR_FIRST = 400, ERROR_LAST = 599 };

static const struct param_spec entity_name_rows[] = {
    P_REF(entity_name, name, NULL, "A group or an instance."), P_END};

static const struct schema entity_name_schema = {.name = "entity_name",
                                                 .summary = "A group or an instance.",
                                                 .size = sizeof(struct entity_name),
                                                 .rows = entity_name_rows,
                                                 .shorthand = true};

static void check_errors(void *params, const struct node *at, struct diag *d, struct arena *a);

static const char *const stage_words[] = {"before_service", "after_service", NULL};

static const struct param_spec errors_rows[] = {
    P_LIST(timed_errors, of, entity_name_schema, NULL, "Whose requests: groups and instances."),
    P_REAL(timed_errors, probability, "1", 0, 1, "1", "Share of the requests that fail."),
    P_COUNT(timed_errors, status, "503", ERROR_FIRST, ERROR_LAST, "What they are answered with."),
    P_WORD(timed_errors, stage, stage_words, "before_service",
           "Whether they are answered at once, before the entity gets them, or only after they "
           "were served, when the error stands in place of a success."),
    P_END};

static const struct schema errors_schema = {
    .name = "timed_errors",
    .summary = "A share of the requests fails. Several fail requests independently of each other, "
               "with the status of the one written first.",
    .size = sizeof(struct timed_errors),
    .rows = errors_rows,
    .shorthand = true,
    .derive = check_errors};

static void check_errors(void *params, const struct node *at, struct diag *d, struct arena *a)
{
    (void)a;
    const struct timed_errors *e = params;
    if (e->of.count == 0) {
        diag_error(d, at, "nobody is named");
    }
}

static void check_link(void *params, const struct node *at, struct diag *d, struct arena *a);

static const struct param_spec link_rows[] = {
    P_LIST(timed_link, a, entity_name_schema, NULL, "One side: groups and instances."),
    P_LIST(timed_link, b, entity_name_schema, "[]", "The other side; by default everyone else."),
    P_BOOL(timed_link, asymmetric, "false",
           "Only what `a` sends to `b`, requests and replies alike; else both ways."),
    P_CHOICE(timed_link, latency, dist_duration, "0s", "Time added to that of each message."),
    P_REAL(timed_link, loss, "0", 0, 1, "1",
           "Probability that a message vanishes, besides whatever else may lose it."),
    P_CHOICE(timed_link, bandwidth, throughput_choice, "unlimited",
             "Bytes a second at most; that of the network, where it is less."),
    P_END};

static const struct schema link_schema = {
    .name = "timed_link",
    .summary = "A bad way between two sides. Of several, latencies add, losses are independent, "
               "and the least bandwidth counts.",
    .size = sizeof(struct timed_link),
    .rows = link_rows,
    .derive = check_link};

static void check_link(void *params, const struct node *at, struct diag *d, struct arena *a)
{
    (void)a;
    struct timed_link *l = params;
    bool slower = l->latency.kind != DIST_CONSTANT || l->latency.constant > 0;
    l->at = at;
    if (l->a.count == 0) {
        diag_error(d, at, "nobody is named");
    } else if (!slower && l->loss == 0.0 && l->bandwidth.kind == THROUGHPUT_UNLIMITED) {
        diag_error(d, at, "needs a latency, a loss or a bandwidth");
    }
}

static void check_partition(void *params, const struct node *at, struct diag *d, struct arena *a);

static const struct param_spec partition_rows[] = {
    P_LIST(timed_partition, a, entity_name_schema, "[]", "One side: groups and instances."),
    P_LIST(timed_partition, b, entity_name_schema, "[]",
           "The other side; by default everyone else."),
    P_LIST(timed_partition, among, entity_name_schema, "[]",
           "In place of `a` and `b`: two or more entities that are cut in halves by chance, anew "
           "each time; the smaller half is `a`."),
    P_BOOL(timed_partition, asymmetric, "false",
           "Only what `a` sends to `b`, requests and replies alike; else both ways."),
    P_BOOL(timed_partition, hold, "false",
           "Messages are not lost, but held until it ends, and then leave in their order."),
    P_END};

static const struct schema partition_schema = {
    .name = "timed_partition",
    .summary = "Two sides that do not reach each other. What is on its way already arrives.",
    .size = sizeof(struct timed_partition),
    .rows = partition_rows,
    .derive = check_partition};

static void check_partition(void *params, const struct node *at, struct diag *d, struct arena *a)
{
    (void)a;
    struct timed_partition *p = params;
    p->at = at;
    if ((p->a.count > 0) == (p->among.count > 0)) {
        diag_error(d, at, "needs either a side `a` or entities `among` which it goes");
    } else if (p->among.count > 0 && p->b.count > 0) {
        diag_error_key(d, node_child(at, "b"), "excluded by 'among' beside it");
    }
}

static void choose_action(void *params, const struct node *at, struct diag *d, struct arena *a);

static const char *const in_service_words[] = {"freezes", "continues", NULL};
static const char *const in_flight_words[] = {"lose", "finish", NULL};

static const struct param_spec timed_action_rows[] = {
    P_DURATION(timed_action, at, NULL, 0, LONGEST, "When it begins."),
    P_MAYBE_DURATION_AS(timed_action, lasts, "for", "none", 1, LONGEST,
                        "How long it lasts; none: to the end of the run."),
    P_MAYBE_DURATION(timed_action, every, "none", 1, LONGEST,
                     "It begins again so long after it began; none: it happens once."),
    P_LIMIT(timed_action, times, "unlimited", 1, 1e9,
            "How often it happens, where it does more than once."),
    P_MAYBE_DURATION(timed_action, mtbf, "none", 1, LONGEST_MEAN,
                     "A crash, link or partition that comes by chance, again and again while the "
                     "action lasts: mean of the exponential times without it. Instances crash "
                     "independently of each other."),
    P_MAYBE_DURATION(timed_action, mttr, "none", 1, LONGEST_MEAN,
                     "Beside `mtbf`: mean of the exponential times for which it lasts."),
    P_TEXT(timed_action, slow, "", "An entity whose service takes `factor` times as long."),
    P_TEXT(timed_action, crash, "",
           "An entity that is down: messages vanish, and work in hand is lost, unless `in_flight` "
           "says otherwise."),
    P_WORD(timed_action, in_flight, in_flight_words, "lose",
           "What becomes of the work in hand when an entity crashes, that which waits included: "
           "it is lost (lose), or is done and answered (finish), as far as it needs no answers of "
           "others: these vanish like all messages."),
    P_TEXT(timed_action, rate, "", "An entity whose arrivals come `factor` times as fast."),
    P_TEXT(timed_action, conditioner, "",
           "An entity whose calls have a bad network before them, as `network` says."),
    P_TEXT(timed_action, pause, "",
           "An entity that stands still: whatever comes due for it, messages, timeouts and "
           "arrivals, does so at the end of the pause, in its order."),
    P_WORD(timed_action, in_service, in_service_words, "freezes",
           "What becomes of the work in service when a pause begins: it stands still and goes on "
           "afterwards (freezes), or is done as if nothing was (continues), and only what would "
           "begin in the pause begins at its end."),
    P_TEXT(timed_action, capacity, "",
           "A server with `factor` times as many workers, rounded; work in service goes on."),
    P_REAL(timed_action, factor, "1", 0, 1e9, "1",
           "How many times as long (slow), as fast (rate) or as many (capacity); they need it."),
    P_BLOCK(timed_action, network, conditioner_schema, "{}",
            "What a conditioner does to each attempt, besides that of the call itself."),
    P_LIST(timed_action, errors, errors_schema, "[]", "Requests are answered by errors."),
    P_LIST(timed_action, link, link_schema, "[]", "Messages between two sides fare worse."),
    P_LIST(timed_action, partition, partition_schema, "[]",
           "Messages between two sides are lost, or held."),
    P_END};

const struct schema timed_action_schema = {
    .name = "timed_action",
    .summary = "Something that happens at a given time to a group or an instance, or between two "
               "sides: one of slow, crash, rate, conditioner, pause, capacity, errors, link and "
               "partition. Overlapping ones stack and unwind exactly.",
    .size = sizeof(struct timed_action),
    .rows = timed_action_rows,
    .derive = choose_action};

/* Finds the one key that says what happens; its name, or NULL when there is not exactly one. */
static const char *find_kind(struct timed_action *t, const struct node *at, bool *takes_factor)
{
    const struct {
        const char *key, *whom;
        enum action_kind kind;
        bool factor;
    } kinds[] = {{"slow", t->slow, ACTION_SLOW, true},
                 {"crash", t->crash, ACTION_CRASH, false},
                 {"rate", t->rate, ACTION_RATE, true},
                 {"conditioner", t->conditioner, ACTION_CONDITIONER, false},
                 {"pause", t->pause, ACTION_PAUSE, false},
                 {"capacity", t->capacity, ACTION_CAPACITY, true}};
    int given = (t->errors.count > 0) + (t->link.count > 0) + (t->partition.count > 0);
    const char *key = t->errors.count > 0 ? "errors" : t->link.count > 0 ? "link" : "partition";
    *takes_factor = false;
    t->whom = (struct name_ref){NULL, NULL};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].whom[0]) {
            given++;
            t->whom = (struct name_ref){kinds[i].whom, node_child(at, kinds[i].key)};
            t->kind = kinds[i].kind;
            key = kinds[i].key;
            *takes_factor = kinds[i].factor;
        }
    }
    return given == 1 ? key : NULL;
}

/* Whether it is of a kind that happens to a single name. */
static bool is_kind(const struct timed_action *t, enum action_kind kind)
{
    return t->whom.name && t->kind == kind;
}

/* When it happens: once, again and again, or by chance. */
static void check_times(const struct timed_action *t, const struct node *at, struct diag *d)
{
    const struct node *every = node_child(at, "every"), *mtbf = node_child(at, "mtbf");
    bool by_chance = t->mtbf != SIM_TIME_NEVER;
    bool may_be = is_kind(t, ACTION_CRASH) || t->link.count > 0 || t->partition.count > 0;
    if (by_chance != (t->mttr != SIM_TIME_NEVER)) {
        diag_error(d, at, "'%s' is missing", by_chance ? "mttr" : "mtbf");
    } else if (by_chance && !may_be) {
        diag_error(d, mtbf, "only a crash, a link or a partition comes by chance");
    } else if (t->every == SIM_TIME_NEVER && t->times != TIMES_UNLIMITED) {
        diag_error(d, node_child(at, "times"), "needs `every` beside it");
    } else if (t->every != SIM_TIME_NEVER && by_chance) {
        diag_error_key(d, every, "excluded by 'mtbf' beside it");
    } else if (t->every != SIM_TIME_NEVER && t->lasts > t->every) {
        diag_error(d, every, "it must end before it begins again: expected `for`, and no less");
    }
}

static void choose_action(void *params, const struct node *at, struct diag *d, struct arena *a)
{
    (void)a;
    struct timed_action *t = params;
    t->node = at;
    bool takes_factor;
    const char *key = find_kind(t, at, &takes_factor);
    const struct node *factor = node_child(at, "factor"), *network = node_child(at, "network");
    if (!key) {
        diag_error(d, at,
                   "expected exactly one of slow, crash, rate, conditioner, pause, capacity, "
                   "errors, link and partition");
    } else if (is_kind(t, ACTION_CONDITIONER) && !conditioner_does(&t->network)) {
        diag_error(d, network ? network : at, "needs a network with latency, jitter or loss");
    } else if (!is_kind(t, ACTION_CONDITIONER) && conditioner_does(&t->network)) {
        diag_error(d, network, "only a conditioner has this");
    } else if (takes_factor && !factor) {
        diag_error(d, at, "'factor' is missing");
    } else if (t->errors.count > 0 && t->factor != 1.0) {
        diag_error(d, factor, "errors have no factor");
    } else if (!takes_factor && t->factor != 1.0) {
        diag_error(d, factor, "a %s has no factor", key);
    } else if (!is_kind(t, ACTION_PAUSE) && t->in_service != IN_SERVICE_FREEZES) {
        diag_error(d, node_child(at, "in_service"), "only a pause has this");
    } else if (!is_kind(t, ACTION_CRASH) && t->in_flight != IN_FLIGHT_LOSE) {
        diag_error(d, node_child(at, "in_flight"), "only a crash has this");
    } else if (is_kind(t, ACTION_SLOW) && t->factor <= 0.0) {
        diag_error(d, factor, "service cannot take no time at all; expected more than 0");
    } else {
        check_times(t, at, d);
    }
}
