#pragma once
/// The files of resources/tasks, put into the library by the build (cmake/EmbedTexts.cmake).

namespace engine {

struct TaskText {
  const char* name;  ///< "piqa.yaml"; null behind the last one
  const char* text;
};
extern const TaskText k_task_texts[];

}  // namespace engine
