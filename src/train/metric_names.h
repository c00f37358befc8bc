// Names in the metrics store (train/metrics_store.h, docs/metrics.md): the writer of a run and its
// readers take them from here. A name that is not here gets a chart of its own in the report;
// "group/name" goes into the chart of its group, one line for each name.
#pragma once

#include <string_view>

namespace keel::metric_name {

// Metrics, one value a step.
inline constexpr std::string_view kLoss = "loss";                // nats per token
inline constexpr std::string_view kRate = "lr";                  // of the schedule
inline constexpr std::string_view kGradNorm = "grad_norm";       // before the clip
inline constexpr std::string_view kSpeed = "tokens_per_second";  // of this step
inline constexpr std::string_view kTokens = "tokens";            // tokens so far, whole steps
// Groups: "attn_logit_max/layer00" (two digits or more, so that names sort by layer) and
// "source_loss/web" for a source of the data.
inline constexpr std::string_view kLogitMaxGroup =
    "attn_logit_max";                                              // largest of the layer's heads
inline constexpr std::string_view kEntropyGroup = "attn_entropy";  // nats, mean of the heads
// Root mean square of what a layer's linears give, before dropout: q, k and v together, the output
// of attention, what enters the activation (gate and up together where it is gated), the output of
// the feed-forward.
inline constexpr std::string_view kOutNormQkvGroup = "out_norm_qkv";
inline constexpr std::string_view kOutNormProjGroup = "out_norm_proj";
inline constexpr std::string_view kOutNormFc1Group = "out_norm_fc1";
inline constexpr std::string_view kOutNormFc2Group = "out_norm_fc2";
// RMS of a step's change over RMS of the weights before it: "update_ratio/layer00" of the matrices
// of a block, "update_ratio/all" of those of all blocks.
inline constexpr std::string_view kUpdateRatioGroup = "update_ratio";
inline constexpr std::string_view kUpdateRatioOfAll = "update_ratio/all";
inline constexpr std::string_view kSourceLossGroup = "source_loss";  // nats per token

// Evaluations.
inline constexpr std::string_view kValLoss = "val_loss";                    // nats per token
inline constexpr std::string_view kValLossAveraged = "val_loss_average";    // of averaged weights
inline constexpr std::string_view kValSourceLossGroup = "val_source_loss";  // nats per token

// Keys of meta, numbers as text.
inline constexpr std::string_view kParameters = "parameters";
inline constexpr std::string_view kEntropyFloor = "entropy_floor";  // nats per token, where known
// Before the first step, means over the layers (StartMeasures); absent with log.probes = 0.
inline constexpr std::string_view kInitLogitRms = "attn_logit_rms_at_init";
inline constexpr std::string_view kInitAttentionRms = "attention_rms_at_init";
inline constexpr std::string_view kInitFfnRms = "ffn_rms_at_init";

// Kinds of events that readers act on.
inline constexpr std::string_view kDivergedEvent = "diverged";  // the text says why
inline constexpr std::string_view kResumeEvent = "resume";
inline constexpr std::string_view kStopEvent = "stop";         // asked to
inline constexpr std::string_view kEarlyEvent = "early_stop";  // stop.patience, or given up

}  // namespace keel::metric_name
