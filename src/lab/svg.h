// What the pictures of curves and frontiers share: their card, text elements, and one set of
// classes in both themes.
#pragma once

#include <string>
#include <string_view>

namespace keel {

// The opening tag of a picture for reading aloud as `label`, its style and its card.
std::string svg_opening(double width, double height, std::string_view label);

// A text element; `text` is escaped, `attributes` are ours.
std::string svg_text(double x, double y, std::string_view attributes, std::string_view text);

// Rules for what stands in an element of class "fig": bg (a card), t (text), m (muted text), b
// (bold), g (grid), a (axis), hollow (a mark that is not filled), k0 to k7 (colours of a series, to
// be used as currentColor). `dark` holds only what differs from `light` and comes after it.
struct PlotStyle {
  std::string light, dark;
};
const PlotStyle& plot_style();

}  // namespace keel
