// Adafactor: AdamW's kind of update with next to no memory for the second moment, and none for the
// first unless asked for.
#pragma once

#include "ops/adafactor.h"
#include "optim/optimizer.h"

namespace keel {

class Adafactor final : public Optimizer {
 public:
  struct Config final : OptimizerOptions {
    double lr = 1e-2;
    double beta1 = 0;
    double beta2_power = 0.8;
    double update_clip = 1;
    bool scale_parameter = false;
    bool relative_step = false;
    double weight_decay = 0;
    std::string decay = "rate";
    void fields(Fields& f) override;
    bool decays_with_rate() const override { return weight_decay > 0 && decay == "rate"; }
    std::optional<UnlikeAdam> unlike_adam() const override {
      if (!scale_parameter) return std::nullopt;
      return UnlikeAdam{"scale_parameter",
                        "these go with the size of the weights, which falls with the width already",
                        "set it to false"};
    }
  };
  // Throws ShapeError, MemoryError.
  Adafactor(const Config& config, const Params& params);

  double peak_rate() const override { return config_.lr; }
  void step(const StepState* state) override;
  std::vector<StateTensor> state() const override;
  int64_t working_bytes() const override { return static_cast<int64_t>(working_.bytes()); }

 private:
  struct Sizes {
    int64_t state = 0, working = 0, parts = 0;
  };
  Sizes sizes() const;
  void place(const Param& p, Sizes& at);

  Config config_;
  Params params_;
  Tensor moments_, momentum_, working_, updates_, partial_, scale_;
  std::vector<StateTensor> state_;
  std::vector<kernel::AdafactorTensor> tensors_;
  std::vector<kernel::AdafactorPart> parts_;
};

}  // namespace keel
