#pragma once
/// The words of the built-in corpus by class. Their order is the vocabulary of every base model
/// trained on it: a change here asks for a new one.

#include <array>
#include <span>
#include <string_view>

namespace engine::tiny {

using Words = std::span<const std::string_view>;

inline constexpr std::array<std::string_view, 4> k_specials = {"<s>", "</s>", "<unk>", "<pad>"};
inline constexpr std::array<std::string_view, 24> k_owners = {
    "anna's", "ben's",  "clara's", "david's", "emma's", "frank's", "grace's", "henry's",
    "ida's",  "jack's", "kate's",  "leo's",   "mary's", "nils's",  "olga's",  "paul's",
    "rosa's", "sam's",  "tina's",  "uma's",   "vera's", "will's",  "yara's",  "zoe's"};
inline constexpr std::array<std::string_view, 40> k_items = {
    "lamp",   "knife", "drum",   "letter", "clock", "ring",   "coat",  "map",    "key",   "mirror",
    "basket", "rope",  "violin", "ladder", "cup",   "carpet", "brush", "candle", "sword", "bell",
    "hammer", "flute", "pillow", "chain",  "glove", "button", "kite",  "wheel",  "spoon", "needle",
    "bottle", "belt",  "crown",  "purse",  "stamp", "anchor", "comb",  "saddle", "torch", "scarf"};
inline constexpr std::array<std::string_view, 24> k_towns = {
    "oslo", "paris", "rome",  "cairo",  "lima",   "delhi", "tokyo", "quito",
    "kiev", "minsk", "turin", "lagos",  "dakar",  "seoul", "hanoi", "perth",
    "bern", "malmo", "porto", "dublin", "havana", "accra", "riga",  "tunis"};
inline constexpr std::array<std::string_view, 16> k_colours = {
    "red",  "blue", "green",  "yellow", "white",  "black",  "brown",   "grey",
    "pink", "gold", "silver", "purple", "violet", "orange", "scarlet", "ivory"};
inline constexpr std::array<std::string_view, 12> k_themes = {
    "music",  "war",     "trade",  "farming", "sport", "health",
    "travel", "weather", "school", "love",    "money", "science"};
inline constexpr std::array<std::string_view, 20> k_singular = {
    "dog",   "cat",    "bird",  "horse", "child",  "woman", "man",    "farmer", "king",  "friend",
    "nurse", "sailor", "miner", "baker", "singer", "guest", "doctor", "driver", "judge", "clerk"};
inline constexpr std::array<std::string_view, 20> k_plural = {
    "dogs",    "cats",   "birds",   "horses",  "children", "women",  "men",
    "farmers", "kings",  "friends", "nurses",  "sailors",  "miners", "bakers",
    "singers", "guests", "doctors", "drivers", "judges",   "clerks"};
inline constexpr std::array<std::string_view, 12> k_verb_singular = {
    "runs",  "sleeps", "sings", "waits", "laughs", "works",
    "falls", "speaks", "walks", "eats",  "jumps",  "cries"};
inline constexpr std::array<std::string_view, 12> k_verb_plural = {
    "run", "sleep", "sing", "wait", "laugh", "work", "fall", "speak", "walk", "eat", "jump", "cry"};
inline constexpr std::array<std::string_view, 6> k_prepositions = {"near", "behind", "beside",
                                                                   "with", "under",  "above"};
inline constexpr std::array<std::string_view, 8> k_adjectives = {
    "old", "young", "small", "tall", "quiet", "brave", "tired", "proud"};
inline constexpr std::array<std::string_view, 19> k_numbers = {
    "zero",     "one",     "two",     "three",     "four",    "five",   "six",
    "seven",    "eight",   "nine",    "ten",       "eleven",  "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"};
inline constexpr std::array<std::string_view, 6> k_open = {"either", "neither", "both",
                                                           "from",   "rather",  "not"};
inline constexpr std::array<std::string_view, 6> k_close = {"or", "nor",  "and",
                                                            "to", "than", "but"};
inline constexpr std::array<std::string_view, 14> k_foods = {
    "bread", "soup", "rice",  "fish", "cheese", "salt",  "honey",
    "milk",  "tea",  "fruit", "meat", "beans",  "cream", "corn"};
inline constexpr std::array<std::string_view, 6> k_tastes = {"fresh", "warm",  "cold",
                                                             "sweet", "plain", "cheap"};
inline constexpr std::array<std::string_view, 4> k_wants = {"want", "choose", "serve", "order"};
inline constexpr std::array<std::string_view, 4> k_people = {"we", "you", "they", "people"};
inline constexpr std::array<std::string_view, 3> k_fact_recall = {"is", "was", "lies"};
inline constexpr std::array<std::string_view, 4> k_ask_recall = {"bring", "find", "fetch", "take"};
inline constexpr std::array<std::string_view, 3> k_fact_paint = {"painted", "made", "turned"};
inline constexpr std::array<std::string_view, 4> k_ask_paint = {"found", "saw", "left", "kept"};
inline constexpr std::array<std::string_view, 3> k_ask_theme = {"more", "again", "much"};
inline constexpr std::array<std::string_view, 9> k_function = {
    "the", "here", "plus", "makes", ".", "about", "today", "talk", "now"};

/// The vocabulary in order.
inline constexpr std::array<Words, 25> k_classes = {
    Words(k_specials),      Words(k_owners),      Words(k_items),        Words(k_towns),
    Words(k_colours),       Words(k_themes),      Words(k_singular),     Words(k_plural),
    Words(k_verb_singular), Words(k_verb_plural), Words(k_prepositions), Words(k_adjectives),
    Words(k_numbers),       Words(k_open),        Words(k_close),        Words(k_foods),
    Words(k_tastes),        Words(k_wants),       Words(k_people),       Words(k_fact_recall),
    Words(k_ask_recall),    Words(k_fact_paint),  Words(k_ask_paint),    Words(k_ask_theme),
    Words(k_function)};

}  // namespace engine::tiny
