# cmake -DOUT=file.cpp -DFILES="a;b" -P EmbedTexts.cmake: a table of the files' names and texts as C++, ended by nulls.
set(code "#include \"engine/data/task_texts.h\"\n\nnamespace engine {\nconst TaskText k_task_texts[] = {\n")
foreach(file IN LISTS FILES)
  get_filename_component(name "${file}" NAME)
  file(READ "${file}" text)
  string(APPEND code "{\"${name}\", R\"yaml(${text})yaml\"},\n")
endforeach()
string(APPEND code "{nullptr, nullptr}};\n}  // namespace engine\n")
file(WRITE "${OUT}" "${code}")
