#include "lab/techniques/technique.h"

namespace keel {
namespace {

constexpr std::string_view kOwnRise = "schedule.warmup: it rises by itself.";

constexpr Technique kSchedules[] = {
    {.name = "constant_schedule",
     .on = "schedule.kind=constant",
     .line = "the peak rate after the warm-up",
     .formula = "factor = 1",
     .source = "none: a plain schedule",
     .cost = kNoCost},
    {.name = "linear_schedule",
     .on = "schedule.kind=linear",
     .line = "a straight line to the final rate",
     .formula = "factor = 1 - (1 - final) p,  p: share of the way",
     .source = "Devlin et al., 2018, arXiv 1810.04805, appendix A.2",
     .cost = kNoCost},
    {.name = "cosine_schedule",
     .on = "schedule.kind=cosine",
     .line = "half a cosine to the final rate",
     .formula = "factor = final + (1 - final) (1 + cos(pi p)) / 2",
     .source = "Loshchilov and Hutter, 2016, arXiv 1608.03983, equation 5, without restarts",
     .wrong = "\"Warm restarts\" are not in arXiv 2410.16682; they are SGDR's."},
    {.name = "wsd_schedule",
     .on = "schedule.kind=wsd",
     .line = "the peak rate, then a line to the final rate at the end",
     .formula = "factor = 1, then a line to `final` over the last share `decay`",
     .source = "Hu et al., 2024, arXiv 2404.06395; Hagele et al., 2024, arXiv 2405.18392",
     .conflicts = "Comparing losses of its stable part with those of a cosine.",
     .cost = kNoCost},
    {.name = "inverse_sqrt_schedule",
     .on = "schedule.kind=inverse_sqrt",
     .more = "schedule.warmup",
     .line = "falls with the root of the step",
     .formula = "factor = sqrt(warmup / t)",
     .source = "as in Xiong et al., 2020, arXiv 2002.04745",
     .cost = kNoCost},
    {.name = "noam_schedule",
     .on = "schedule.kind=noam schedule.warmup=100",
     .line = "inverse_sqrt with its peak from the model's width",
     .formula = "rate = lr dim^(-1/2) min(t^(-1/2), t warmup^(-3/2))",
     .source = "Vaswani et al., 2017, arXiv 1706.03762, section 5.3",
     .cost = kNoCost},
    {.name = "sgdr_schedule",
     .on = "schedule.kind=sgdr",
     .line = "half cosines with warm restarts",
     .what = "The optimizer's state is not reset. Each restart raises the loss by design; compare "
             "at the ends of cycles.",
     .formula = "factor = final + (1 - final) (1 + cos(pi T_cur / T_i)) / 2\n"
                "T_{i+1} = t_mult T_i",
     .source = "Loshchilov and Hutter, 2016, arXiv 1608.03983, equation 5",
     .conflicts = "Counting its restarts as loss spikes.",
     .wrong = "It is not a part of arXiv 2410.16682.",
     .cost = kNoCost},
    {.name = "slanted_triangular_schedule",
     .on = "schedule.kind=slanted_triangular",
     .line = "a short rise and a long fall in straight lines",
     .formula = "factor = (1 + p (ratio - 1)) / ratio",
     .source = "Howard and Ruder, 2018, arXiv 1801.06146, equation 3",
     .conflicts = kOwnRise,
     .cost = kNoCost},
    {.name = "one_cycle_schedule",
     .on = "schedule.kind=one_cycle",
     .line = "half a cosine up, then half a cosine far down",
     .what =
         "The common form of two phases. With cycle_momentum the momentum of AdamW, StableAdamW "
         "or SGD goes the other way.",
     .formula = "1 / div up to 1 over the share `rise`, down to 1 / (div final_div)\n"
                "cycle_momentum: beta1 = momentum_high down to momentum_low, and back",
     .source = "Smith and Topin, 2017, arXiv 1708.07120",
     .conflicts = "schedule.warmup: it rises by itself. cycle_momentum with an optimizer whose "
                  "momentum no schedule sets: Lion, Adafactor, Muon, SGD without momentum.",
     .unknown =
         "The paper cycles the momentum of SGD; what cycling Adam's beta1 does is not in it.",
     .cost = kNoCost},
    {.name = "warmup",
     .on = "schedule.warmup=100",
     .more = "schedule.steps",
     .line = "the rate rises in a straight line to its peak",
     .formula = "factor = t / warmup up to t = warmup",
     .source = "Xiong et al., 2020, arXiv 2002.04745, on why post-norm needs it",
     .cost = kNoCost},
    {.name = "batch_warmup",
     .on = "train.accumulate=4 train.batch_warmup.start=1 train.batch_warmup.tokens=1000000",
     .more = "train.batch_warmup.increment",
     .line = "the batch grows while tokens are trained; schedules count tokens",
     .formula = "start, start + increment, ... at equal intervals of tokens",
     .source = "Megatron-LM's rampup_batch_size",
     .conflicts = "A schedule that counts steps would be stretched; here it counts what is seen in "
                  "full batches.",
     .cost =
         "less than a full step while the batch grows: its micro-batches are what a step costs"},
};

constexpr Technique kClips[] = {
    {.name = "no_clip",
     .on = "clip.kind=none",
     .line = "gradients are left alone",
     .formula = "g = g",
     .source = "none: what the others are compared with"},
    {.name = "global_clip",
     .on = "clip.kind=global",
     .line = "the global norm of the gradient is held at a bound",
     .formula = "g = g min(1, norm / |g|)",
     .source = "Pascanu et al., 2012, arXiv 1211.5063, section 3.2"},
    {.name = "adagc",
     .on = "clip.kind=adagc",
     .line = "each tensor's gradient norm is held near its own average",
     .formula = "h = min(1, relative average / |g|)\n"
                "average = beta average + (1 - beta) h |g|",
     .source = "Wang et al., 2025, arXiv 2502.11034",
     .conflicts = "A tensor whose gradient was 0 for a while could not move again: the floor."},
    {.name = "zclip",
     .on = "clip.kind=zclip",
     .line = "outliers of the global norm are cut down, by their z-score",
     .formula = "z = (|g| - mean) / deviation > threshold:\n"
                "|g| = mean + threshold^2 / z deviation",
     .source = "Kumar et al., 2025, arXiv 2504.02507",
     .conflicts = "A lasting change of the norm is let in slowly."},
};

}  // namespace

TechniqueFamily schedule_techniques() {
  return {"schedule", "Schedules", "The learning rate and the batch over time.", kSchedules};
}

TechniqueFamily clip_techniques() {
  return {"clip", "Gradient clipping", "What is done to gradients that are too large.", kClips};
}

}  // namespace keel
